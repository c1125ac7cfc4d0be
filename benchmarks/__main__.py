"""`python -m benchmarks [options of ingest]`: run every benchmark."""

import sys

from benchmarks import ingest

if __name__ == "__main__":
    sys.exit(ingest.main())
