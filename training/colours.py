"""From whatever colours an image has to 8-bit sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# Scientific cameras store 12 bits in 16: data that never exceeds this is taken as 12-bit.
MAX_12_BIT = 4095

# Real profiles have up to a few megabytes (printers'); a larger one is not parsed.
MAX_PROFILE_BYTES = 8 << 20

# The colour space that a profile must describe for each mode it may be used on.
_SPACES = {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}

_SRGB = ImageCms.createProfile("sRGB")


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit sRGB from any mode: alpha on white, more than 8 bits scaled, profiles followed."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_grey(np.asarray(image))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    elif image.mode not in _SPACES:
        image = image.convert("RGB")
    return _by_profile(image, profile)


def _by_profile(image: Image.Image, profile: object) -> Image.Image:
    """Follow an embedded profile to sRGB; without one, or with one that is none, as if sRGB."""
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES:
        try:
            transform = _transform(profile, image.mode)
            if transform is not None:
                converted = transform.apply(image)
                # What the profile says is done: nobody may do it again.
                converted.info.pop("icc_profile", None)
                return converted
        # LittleCMS and Pillow's parsing of hostile bytes raise several types; the pixels stand.
        except Exception:
            return image.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


# A collection has the profiles of a few cameras.
@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What brings pixels of a mode to sRGB; None where they are sRGB or it does not fit them."""
    parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if parsed.profile.xcolor_space != _SPACES[mode]:
        return None
    if mode == "RGB" and "srgb" in (parsed.profile.profile_description or "").lower():
        return None
    # Without LittleCMS's own cache of the last pixel threads may share a transform.
    return ImageCms.buildTransform(parsed, _SRGB, mode, "RGB", flags=ImageCms.Flags.NOCACHE)


def _from_deep_grey(values: np.ndarray) -> Image.Image:
    """Grey of 16 or 32 bits or floats to 8 bits. Pillow's own conversion would clip to white."""
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(grey.max(initial=0.0))
    if top <= 1.0 and values.dtype.kind == "f":
        full = 1.0
    elif top <= MAX_12_BIT:
        full = 255.0 if top <= 255 else float(MAX_12_BIT)
    else:
        full = max(65535.0, top)
    scaled = np.clip(grey * (255.0 / full) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(scaled).convert("RGB")
