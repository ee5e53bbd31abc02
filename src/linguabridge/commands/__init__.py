"""The commands of the command line, a file each; ``linguabridge.cli`` puts them together."""
