"""A picture file as the network sees it: 28×28, white ink on black.  Loads Pillow when used."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..files import check_file
from .idx import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, BOX = 28, 20
FORMATS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]  # Pillow would also start Ghostscript for what is PostScript
MOST_PIXELS, MOST_BYTES = 50_000_000, 100_000_000  # of a file; decoding takes up to 16 bytes a pixel
LARGE = 1000  # pixels on a side: no more are needed to see a digit
DUST = 4  # ink that is smaller on both sides is none


def read_picture(path: str | os.PathLike[str]) -> tuple[NDArray[np.float32], bool]:
    """Return a picture as (784,) pixels in [0, 1], 0 background and 1 ink, and whether it had to be inverted.

    PNG, JPEG, GIF, BMP, TIFF and WebP, the first picture of a file that holds several, in any size up to 50 million
    pixels and any colours.  MNIST is white on black: where the border of the picture is bright, it is taken to be dark on
    white and inverted.  A picture of 28×28 stays as it is; of any other, the ink is scaled and placed as in MNIST.
    Raises DataError for a file that is missing, too large or no picture.

    >>> read_picture("nowhere.png")
    Traceback (most recent call last):
    tinygrad_lite.data.idx.DataError: nowhere.png: no such file; give the path of a picture, such as a PNG
    """
    from PIL import Image, ImageOps

    try:
        check_file(Path(path), MOST_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on what is damaged and read all the same
            with Image.open(path, formats=FORMATS) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                file.draft("L", (LARGE, LARGE))  # a JPEG is decoded at a fraction of its size
                grey = _grey(ImageOps.exif_transpose(file))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of a picture, such as a PNG") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: more than {MOST_PIXELS:,} pixels; scale it down first") from None
    except Exception as error:  # Pillow's decoders raise whatever the content leads to
        own = error.strerror if isinstance(error, OSError) else None
        raise DataError(
            f"{path}: {own or 'no picture, or a damaged one'}; give a picture: {', '.join(FORMATS)}"
        ) from None
    pixels = np.asarray(grey)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    inverted = bool(border.mean() > 127)
    if inverted:
        grey = ImageOps.invert(grey)
    if grey.size != (SIDE, SIDE):
        grey = _as_mnist(grey)
    return np.asarray(grey, np.float32).reshape(-1) / np.float32(255), inverted


def _as_mnist(grey: Image) -> Image:
    """Scale and place white ink on black as MNIST's makers did: in a box of 20×20, its centre of mass in the middle.

    Source: Y. LeCun, C. Cortes, C. Burges (1998), The MNIST database of handwritten digits.
    """
    from PIL import Image, ImageOps

    grey = ImageOps.autocontrast(grey)
    ink = np.asarray(grey) > 64  # paper is not quite even
    small = Image.new("L", (SIDE, SIDE))
    if not ink.any():
        return small
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    width, height = right - left, bottom - top
    if max(width, height) < DUST:
        return small
    scale = BOX / max(width, height)
    digit = grey.crop((left, top, right, bottom)).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC
    )
    weights = np.asarray(digit, np.float64)
    if not weights.any():  # specks far apart
        return small
    down, across = (np.average(np.indices(weights.shape)[axis], weights=weights) for axis in (0, 1))
    middle = (SIDE - 1) / 2
    small.paste(digit, (round(middle - across), round(middle - down)))
    return small


def _grey(image: Image) -> Image:
    """Return a picture of any mode as 8-bit grey; what is transparent becomes the opposite of the ink."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # more than 8 bits, which convert("L") would cut off
        deep = np.nan_to_num(np.asarray(_reduced(image.convert("F"))))
        low, high = deep.min().astype(np.float64), deep.max().astype(np.float64)
        return Image.fromarray(np.uint8(255 * (deep - low) / max(high - low, 1e-12)))
    if not image.has_transparency_data:
        return _reduced(image.convert("L"))
    alpha_last = np.asarray(_reduced(image.convert("LA")), np.float64)
    grey, opacity = alpha_last[..., 0], alpha_last[..., 1] / 255
    ink = (grey * opacity).sum() / max(opacity.sum(), 1e-12)
    ground = 255.0 if ink < 128 else 0.0
    return Image.fromarray(np.uint8(grey * opacity + ground * (1 - opacity)))


def _reduced(image: Image) -> Image:
    """Return a picture with at most 2 LARGE pixels on its longer side."""
    return image.reduce(max(1, max(image.size) // LARGE))
