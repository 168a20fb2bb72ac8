"""Notes: handwritten equations, in LaTeX or plain text, are read, and each is held against what autodiff says.

From the bottom up: `source` takes the text out of a file; `statement`, `spelling`, `entries`, `grammar`, `mask`, `stated`
and `document` read a page; `reading` tells what an equation means by its shapes, `network` is what equations define, `unify`
finds its sizes, `layers` builds it of the forward equations, `units` tells layers by index letters, `naming` proposes what
names of the page may stand for, `page` sorts equations and says which networks may be meant, `lines` finds the one with
which the fewest are wrong and has `verify` look at each line, `figures` holds numbers against each other, `words` and
`sizes` say what is found, `spelt` writes a repair as the page writes, `row` is the verdict on one, `annotated` shows them
beside the notes, `report` all of them; `check` is the way through them.
"""

from ..callable import make_callable
from .check import check
from .report import NotesReport
from .row import Row
from .source import NotesError

__all__ = ["NotesError", "NotesReport", "Row", "check"]


make_callable(__name__, check)
