# Loads a file of records into an index with opensearch-py, as programs do that
# are written for it: parallel_bulk.py PACKAGES URL INDEX FILE THREADS BYTES
import json
import sys

packages, url, index, path, threads, size = sys.argv[1:]
sys.path.insert(0, packages)

from opensearchpy import OpenSearch, helpers  # noqa: E402


def documents():
    with open(path, "rb") as lines:
        for line in lines:
            record = json.loads(line)
            yield {"_index": index, "_id": record["_id"], "_source": record["_source"]}


client = OpenSearch(url, timeout=120, maxsize=int(threads))
for ok, item in helpers.parallel_bulk(client, documents(), thread_count=int(threads), chunk_size=1_000_000, max_chunk_bytes=int(size)):
    if not ok:
        sys.exit(f"not loaded: {item}")
