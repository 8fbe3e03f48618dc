# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

for _name in ("writing", "verifying"):
    sys.path.insert(0, str(Path(__file__).parent / _name))
