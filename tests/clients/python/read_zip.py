"""What a ZIP holds, as another program sees it: checks every sum, and prints the entries as JSON."""

import hashlib
import json
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as archive:
    broken = archive.testzip()
    if broken is not None:
        sys.exit(f"{broken!r} is not what its sum says")
    entries = [
        {
            "name": entry.filename,
            "digest": "sha256:" + hashlib.sha256(archive.read(entry)).hexdigest(),
            "date": entry.date_time,
            "isStored": entry.compress_type == zipfile.ZIP_STORED,
        }
        for entry in archive.infolist()
    ]
print(json.dumps(entries))
