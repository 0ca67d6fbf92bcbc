"""Which kind of index a gallery gets."""

import pytest

from indexer.kinds import EXACT_ON_GPU, TABLE, Machine, choose, without_cells

LARGE = Machine(memory_bytes=64 << 30, gpus=0)
TINY = Machine(memory_bytes=1 << 28, gpus=0)
WITH_GPU = Machine(memory_bytes=64 << 30, gpus=1)


@pytest.mark.parametrize(
    ("count", "dim", "kind"),
    [
        (0, 128, "exact"),
        (100_000, 512, "exact"),
        (500_000, 128, "exact"),
        (1_000_000, 128, "half"),
        (1_000_000, 512, "half"),
        (4_000_000, 128, "half"),
        (5_000_000, 128, "approximate"),
        (2_000_000, 512, "approximate"),
    ],
)
def test_the_kind_goes_by_what_a_search_has_to_read(count: int, dim: int, kind: str) -> None:
    assert choose(count, dim, wanted="auto", machine=LARGE).kind == kind


def test_a_step_ends_where_the_table_says() -> None:
    most = TABLE[0].most_bytes
    assert most is not None
    assert choose(most // 4, 1, wanted="auto", machine=LARGE).kind == "exact"
    assert choose(most // 4 + 1, 1, wanted="auto", machine=LARGE).kind == "half"


def test_what_does_not_fit_in_half_the_memory_is_made_smaller() -> None:
    assert choose(200_000, 128, wanted="auto", machine=TINY).kind == "exact"
    assert choose(300_000, 128, wanted="auto", machine=TINY).kind == "half"
    assert choose(600_000, 128, wanted="auto", machine=TINY).kind == "approximate"


def test_a_gpu_compares_everything_up_to_what_it_holds() -> None:
    assert choose(2_000_000, 512, wanted="auto", machine=WITH_GPU).kind == "exact"
    more = EXACT_ON_GPU // 4 + 1
    assert choose(more, 1, wanted="auto", machine=WITH_GPU).kind == "approximate"


def test_what_was_asked_for_is_taken_and_said() -> None:
    choice = choose(10, 128, wanted="half", machine=LARGE)
    assert (choice.kind, choice.wanted) == ("half", "half")
    assert choice.why.endswith("as was asked for")


def test_without_cells_a_gallery_stays_exact_as_its_size_allows() -> None:
    for count, kind in ((1_000, "exact"), (10_000_000, "half")):
        choice = without_cells(
            count, 128, wanted="approximate", machine=LARGE, why="too few are found"
        )
        assert (choice.kind, choice.wanted) == (kind, "approximate")
        assert choice.why.endswith(": too few are found")
