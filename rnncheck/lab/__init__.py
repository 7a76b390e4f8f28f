"""Exercises for students: a network with one planted fault to find, or with the backward pass left to write."""
