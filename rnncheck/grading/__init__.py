"""The work of a class: each submission judged apart, here or on a cluster, and points given."""
