"""PyTorch's own operator database (OpInfo, `op_db`): its samples, run here and there, and who may differ where.

What differs must be allowed by a row of docs/conformance.md; `allowed` says which row allows what.
"""

import sys
import types
import unittest
from importlib.util import find_spec

if find_spec("torch") and not find_spec("expecttest"):  # PyTorch's test utilities want it; nothing of it is used here
    stub = types.ModuleType("expecttest")
    stub.TestCase = unittest.TestCase
    stub.assert_expected_inline = None
    sys.modules["expecttest"] = stub
