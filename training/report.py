"""Pictures of a run: the curves."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.files import replacing
from training.metrics import read_metrics
from training.runs import CURVES_FILE


def write_curves(run: Path) -> None:
    """Loss, learning rate and held-out quality over the steps of a run; nothing without any."""
    lines = read_metrics(run)
    training = [line for line in lines if line["group"] == "train"]
    quality = [line for line in lines if line["group"] == "quality"]
    if not training and not quality:
        return
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    losses, found, ranks = figure.subplots(1, 3)
    _curve(losses, training, "loss", "loss")
    _curve(found, quality, "retrieval", "other view found first", marker="o")
    if any("knn" in line for line in quality):
        _curve(found, quality, "knn", "k-NN accuracy", marker="s")
    _curve(ranks, quality, "rank", "effective rank", marker="o")
    for axes in (losses, found, ranks):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    with replacing(run / CURVES_FILE) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _curve(
    axes: Any, lines: list[dict[str, Any]], name: str, label: str, *, marker: str = ""
) -> None:
    points = [(line["step"], line[name]) for line in lines if name in line]
    axes.plot([x for x, _ in points], [y for _, y in points], label=label, marker=marker)
