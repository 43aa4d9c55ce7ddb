"""The schema's steps, forward and back, by Alembic, in a version table of their own.

Steps only add; what they make useless is removed a release later, so that two versions of the
service can run side by side during a deploy.
"""
