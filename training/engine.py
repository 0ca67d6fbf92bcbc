"""pretrain(config): from a folder of photos to a run folder with an encoder."""

import time
from contextlib import ExitStack, nullcontext

from torch import Tensor

from training.batches import PhotoBatches
from training.bursts import find_bursts
from training.checkpoint import load_checkpoint, save_checkpoint
from training.collapse import CollapseWatch, settling_steps
from training.config import TrainConfig
from training.distributed import anyone, in_turn, mean, total, world
from training.errors import Interrupted
from training.figures import Sight, quality_of
from training.finish import Ending, RunReport, finish, finish_untrained, read_report
from training.metrics import MetricsLog, metrics_log
from training.monitor import Monitor, MonitorSettings, known_classes, split_held_out
from training.plan import TRAINING_MIN
from training.prepare import Prepared, Surroundings, prepare, resume_hint
from training.progress import duration
from training.snapshots import Snapshots
from training.spec import Preprocessing
from training.trainer import STEPS_PER_LOG, Clock, Pace, Trainer, check_finite
from training.views_sheet import write_views

MEASUREMENTS = 10  # of held-out quality, spread evenly over a run


def pretrain(config: TrainConfig, around: Surroundings, *, resume: bool = False) -> RunReport:
    """Learn an encoder from a folder of photos.

    Args:
        config: what was asked; when resuming, only its `photos` and `out` count.
        around: where to show progress, when to stop, where to cache.
        resume: go on with the run in `config.out`.

    Raises:
        Interrupted: `around.stop` said so; the run can be resumed.
        LookalikeError: anything else the user can mend.
        OSError: the run folder or the cache cannot be written.
    """
    started = time.monotonic()
    with ExitStack() as claims:
        # The leading process begins the run and decodes; the others then find both.
        ready = in_turn(
            lambda: prepare(config, around, resume=resume or not world().leads, claims=claims)
        )
        if not ready.run.finished and len(ready.photos) >= TRAINING_MIN:
            session = _Session(ready, around, started)
            session.train()
            in_turn(session.finish if session.leads else lambda: None)
        elif not ready.run.finished:
            why = f"{len(ready.photos)} photos are too few to learn from"
            in_turn(lambda: finish_untrained(ready, why) if world().leads else None)
        return read_report(ready.run)


class _Session:
    """One sitting of a run: from the start or the last checkpoint to the end or an interrupt."""

    def __init__(self, ready: Prepared, around: Surroundings, started: float) -> None:
        plan = ready.plan
        self.ready = ready
        self.leads = world().leads
        self.progress = around.progress
        self.stop = around.stop
        self.seconds_between_checkpoints = around.seconds_between_checkpoints
        chosen, held_out = split_held_out(len(ready.photos), plan.seed)
        self.trainer = Trainer(plan, ready.backbone)
        codes = None if ready.labels is None else ready.labels.codes
        # To SupCon its unlabelled photos are negatives whatever they show, too. They are left so:
        # a batch carries one number a photo, and there it is the class.
        photos, contrasts = ready.photos, plan.method == "simclr"
        self.bursts = find_bursts(photos.pixels, photos.rows) if contrasts else None
        groups = None if self.bursts is None else self.bursts.groups
        self.batches = PhotoBatches(
            photos, chosen, plan, labels=codes, bursts=groups, world=self.trainer.world
        )
        self.clock = Clock(plan.steps(len(chosen)), plan.budget_seconds, started)
        settings = MonitorSettings(
            self.trainer.recipes, Preprocessing(plan.embed_size), self.trainer.device, plan.seed
        )
        classes = known_classes(photos, ready.labels)
        self.monitor = Monitor(ready.config.photos, photos, held_out, settings, classes)
        self.snapshots = Snapshots(
            ready.run, ready.spec, embed_size=plan.embed_size, every=ready.config.snapshots
        )
        self.watch: CollapseWatch | None = None  # from the start's figures on
        self.start: Sight | None = None
        self.trained: Sight | None = None
        self.facts: dict[str, str] = {}
        self.loss: Tensor | None = None  # of the last step, still on the device

    def train(self) -> None:
        """Train to the end; the steps stay 0 where a budget was over before the first."""
        with metrics_log(self.ready.run.path) if self.leads else nullcontext() as log:
            self.start = self._measure(log)
            self._resume_or_begin()
            self._announce()
            self._train(log)
            if self.trainer.step == 0:
                self.progress.finish()
                return
            self._save()  # before the average takes the place of the weights that it is of
            self.trainer.use_average()
            self.trained = self._measure(log, last=True)
        self.progress.finish()

    def finish(self) -> None:
        """Export, and write the report."""
        if self.trainer.step == 0:
            budget, spent = self.clock.budget_seconds or 0.0, self.clock.seconds()
            why = (
                f"the budget of {duration(budget)} was over before the first step: planning and "
                f"decoding took {duration(spent)}, of which the decoded photos are kept"
            )
            finish_untrained(self.ready, why)
            return
        assert self.start is not None
        assert self.trained is not None
        ending = Ending(self.start, self.trained, self.trainer.step, self.clock.seconds())
        finish(self.ready, self.monitor, ending, self.stop)

    def _resume_or_begin(self) -> None:
        run = self.ready.run
        if run.checkpoint.is_file():
            saved = load_checkpoint(run.checkpoint)
            self.trainer.restore(saved)
            self.clock.elapsed = float(saved.facts["seconds"])
            self.clock.began = float(saved.facts.get("began", 0.0))
        elif self.leads:
            write_views(run.path, self.batches, self.trainer.recipes, self.ready.plan.seed)
            if self.bursts is not None:
                run.write_near(self.ready.photos.paths, self.bursts.groups)
        if self.trainer.step == 0:
            self.clock.began = self.clock.seconds()

    def _announce(self) -> None:
        count, held_out = len(self.batches), len(self.monitor)
        self.progress.say(f"{count:,} photos to learn from, {held_out} held out to judge by")
        for line in () if self.bursts is None else self.bursts.lines():
            self.progress.say(f"  {line}")
        budget, batch = self.ready.plan.budget_seconds, self.ready.plan.batch_size
        # What is left, so that the rate shown is this sitting's.
        if budget is not None:
            self.progress.start("training", total=budget - self.clock.seconds(), unit="s")
        else:
            left = (self.clock.steps - self.trainer.step) * batch
            self.progress.start("training", total=left, unit="photos")

    def _train(self, log: MetricsLog | None) -> None:
        trainer, clock = self.trainer, self.clock
        due = int(clock.progress(trainer.step) * MEASUREMENTS) + 1
        saved, pace = time.monotonic(), Pace(trainer.step)
        while (progress := self._progress(trainer.step)) < 1.0:
            before = clock.seconds()
            # The middle of the step: the first one learns too, and the last not quite nothing.
            loss = self.loss = trainer.train_step(
                self.batches.at(trainer.step), self._progress(trainer.step + 0.5)
            )
            if trainer.step % STEPS_PER_LOG == 0:
                self._log_step(log, loss, progress, pace.at(trainer.step))
            if anyone(self.stop()):
                self._interrupt()
            if MEASUREMENTS > due <= clock.progress(trainer.step) * MEASUREMENTS:
                with pace.paused():
                    self._measure(log)
                due += 1
            if time.monotonic() - saved > self.seconds_between_checkpoints:
                with pace.paused():
                    self._save()
                saved = time.monotonic()
            self._advance(clock.seconds() - before)

    def _progress(self, step: float) -> float:
        """The leading process's clock says how far the run is."""
        return total(self.clock.progress(step) if self.leads else 0.0)

    def _log_step(
        self, log: MetricsLog | None, loss: Tensor, progress: float, steps_per_second: float
    ) -> None:
        value = mean(float(loss))
        check_finite(value, self.trainer.step, self.ready.plan.lr)
        if log is None:
            return
        rate = steps_per_second * self.ready.plan.batch_size
        figures = {"loss": value, "lr": self.trainer.lr, "progress": progress}
        log.write(self.trainer.step, "train", {**figures, "photos_per_second": rate})
        self.facts |= {"loss": f"{value:.3f}", "photos/s": f"{rate:,.0f}"}

    def _measure(self, log: MetricsLog | None, *, last: bool = False) -> Sight | None:
        if log is None:  # the leading process measures for all
            return None
        sight = self.monitor.look(self.ready.backbone, self.trainer.method.projector)
        quality = quality_of(sight)
        self.snapshots.keep(self.ready.backbone.network, self.trainer.step, quality)
        log.write(self.trainer.step, "quality", quality.to_json())
        self.facts["found again"] = f"{100 * quality.retrieval:.0f}%"
        if quality.knn is not None:
            self.facts["k-NN"] = f"{100 * quality.knn:.0f}%"
        if self.watch is None:
            settled = settling_steps(self.ready.backbone)
            labelled = self.ready.labels is not None
            self.watch = CollapseWatch(quality, settled=settled, labelled=labelled)
        else:
            self.watch.check(quality, self.trainer.step, last=last)
        return sight

    def _advance(self, seconds: float) -> None:
        by_time = self.ready.plan.budget_seconds is not None
        self.progress.advance(seconds if by_time else self.ready.plan.batch_size, **self.facts)

    def _save(self) -> None:
        if not self.leads:
            return
        if self.loss is not None:  # never keep weights that are lost
            check_finite(float(self.loss), self.trainer.step, self.ready.plan.lr)
        saved = self.trainer.checkpoint(self.clock.seconds(), self.clock.began)
        save_checkpoint(self.ready.run.checkpoint, saved)

    def _interrupt(self) -> None:
        self._save()
        self.progress.finish()
        raise Interrupted(
            f"stopped after step {self.trainer.step:,}; the run is kept in {self.ready.run.path}",
            hint=resume_hint(self.ready.config),
        )
