"""How views are made: SimCLR's and BYOL's recipes, and what a plan makes of them."""

from dataclasses import dataclass, replace

from training.plan import Plan
from training.spec import IMAGENET_MEAN, IMAGENET_STD

# Blur pays on photos and ruins tiny images (SimCLR, arXiv 2002.05709, leaves it out on CIFAR-10).
BLUR_MIN_SIZE = 64


@dataclass(frozen=True)
class ViewRecipe:
    """How one view of a photo is made; the defaults are SimCLR's at half strength.

    `flip`, `jitter` and `grayscale` are probabilities; `blur` and `solarize` are fractions of a
    batch, met exactly: `round(fraction * batch)` views. Brightness, contrast and saturation factors
    are uniform in 1 +- the value given, hue in +- the value, in turns of the colour circle.
    """

    image_size: int
    crop_scale: tuple[float, float] = (0.2, 1.0)  # share of the photo's area
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)  # width / height in the true photo
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    grayscale: float = 0.2
    blur: float = 0.5
    blur_sigma: tuple[float, float] = (0.1, 2.0)  # pixels of the view
    solarize: float = 0.0
    turn: bool = False  # by any angle, each as likely
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def view_recipes(plan: Plan) -> tuple[ViewRecipe, ViewRecipe]:
    """How the two views of every photo are drawn."""
    size, strength, crop_min = plan.network.image_size, plan.strength, plan.crop_min
    if plan.method == "byol":
        first, second = byol_recipes(size, strength=strength, crop_min=crop_min)
        return suited(first, plan.views), suited(second, plan.views)
    recipe = suited(simclr_recipe(size, strength=strength, crop_min=crop_min), plan.views)
    return recipe, recipe


def suited(recipe: ViewRecipe, views: str) -> ViewRecipe:
    """A recipe that changes only what may change in a kind of collection.

    Args:
        recipe: of everyday photos.
        views: everyday; any-orientation turns views freely (leaves, slides, defects seen from
            above); colour-matters leaves hue and saturation alone; no-mirror keeps left and
            right; shapes does so too, and colour, at full strength, means nothing (handwriting,
            line art).
    """
    if views == "any-orientation":
        return replace(recipe, turn=True)
    if views == "colour-matters":
        return replace(recipe, hue=0.0, saturation=0.0, grayscale=0.0, solarize=0.0)
    return replace(recipe, flip=recipe.flip if views == "everyday" else 0.0)


def simclr_recipe(
    image_size: int, *, strength: float = 0.5, crop_min: float = 0.2, flip: float = 0.5
) -> ViewRecipe:
    """SimCLR's view (arXiv 2002.05709, appendix A); both views of a photo use it.

    Args:
        image_size: side of a view in pixels; no blur below 64.
        strength: of the colour jitter, 1 as on ImageNet, 0.5 as on CIFAR-10.
        crop_min: smallest share of the photo's area.
        flip: probability of mirroring; 0 where left and right mean something.
    """
    return ViewRecipe(
        image_size,
        crop_scale=(crop_min, 1.0),
        flip=flip,
        brightness=0.8 * strength,
        contrast=0.8 * strength,
        saturation=0.8 * strength,
        hue=0.2 * strength,
        blur=0.5 if image_size >= BLUR_MIN_SIZE else 0.0,
    )


def byol_recipes(
    image_size: int, *, strength: float = 0.5, crop_min: float = 0.2, flip: float = 0.5
) -> tuple[ViewRecipe, ViewRecipe]:
    """BYOL's two different views (arXiv 2006.07733, table 6); arguments as `simclr_recipe`.

    At strength 0.5 the jitter is the paper's: weaker in saturation than SimCLR's.
    """
    first, second = (
        ViewRecipe(
            image_size,
            crop_scale=(crop_min, 1.0),
            flip=flip,
            brightness=0.8 * strength,
            contrast=0.8 * strength,
            saturation=0.4 * strength,
            hue=0.2 * strength,
            blur=blur if image_size >= BLUR_MIN_SIZE else 0.0,
            solarize=solarize,
        )
        for blur, solarize in ((1.0, 0.0), (0.1, 0.2))
    )
    return first, second
