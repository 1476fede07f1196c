"""The commands of `superfan`, one file a group. `streams.cli` assembles them.

A command reads settings, calls the module that does the work, and prints. It imports that module when it
runs and not before: `superfan --help` has to be quick, and loads all files of this folder.
"""
