"""SimCLR as one writes it first with lightly's parts: transform, DataLoader, loss, SGD.

    python plain_simclr.py PHOTOS OUT [--epochs 5] [--batch-size 128] [--image-size 96]

What training_speed.py times `ssl-train` against. Needs the package `lightly` (1.6) and torchvision,
and none of our own code. Writes the ResNet-18's weights to OUT.
"""

import argparse
from pathlib import Path

import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.models import resnet18


class Views(Dataset[list[torch.Tensor]]):
    """Two views of each photo."""

    def __init__(self, photos: Path, image_size: int) -> None:
        self.paths = sorted(path for path in photos.rglob("*") if path.is_file())
        self.transform = SimCLRTransform(input_size=image_size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        views: list[torch.Tensor] = self.transform(Image.open(self.paths[index]).convert("RGB"))
        return views


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-size", type=int, default=96)
    args = parser.parse_args()
    torch.manual_seed(0)
    loader = DataLoader(
        Views(args.photos, args.image_size),
        args.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )
    backbone = resnet18()
    backbone.fc = torch.nn.Identity()
    model = torch.nn.Sequential(backbone, SimCLRProjectionHead(512, 512, 128))
    criterion = NTXentLoss(temperature=0.1)
    rate = 0.3 * args.batch_size / 256
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    for _ in range(args.epochs):
        for first, second in loader:
            loss = criterion(model(first), model(second))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.save(backbone.state_dict(), args.out)


if __name__ == "__main__":
    main()
