"""The apps that are measured, each written as its own documentation would have it.

Every measured route answers the same JSON. Which database an app uses stands in BENCH_DATABASE;
ours reads its settings as always.
"""

SECRET = "not-a-secret-this-is-a-benchmark-0123456789"
