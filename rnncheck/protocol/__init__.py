"""Cases and Traces as lines of JSON, for programs in any language: written, read, refused where they are wrong."""
