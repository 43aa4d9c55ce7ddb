"""The seam: class Watchword, mounted in a host's app or served by itself, the same object."""
