"""Rates by the formulas; tests/Compare has PyTorch's beside them."""

import math

import numpy as np
import pytest

from minidl.Modules import Linear
from minidl.Optimizers import SGD, AdaDelta, Adam, AdamW
from minidl.Optimizers.Optimizer import OptimizerError
from minidl.Optimizers.Schedules import Cosine, Plateau, Schedule, Step, WarmUp


def ratesOf(schedule, number, values=None):
    """[the optimizer's rate before the first step, after it, ...]"""
    rateOf = lambda: getattr(schedule.optimizer, schedule.optimizer.rateName)
    rates = [rateOf()]
    for i in range(number):
        schedule.step(None if values is None else values[i])
        rates.append(rateOf())
    return rates


def test_step():
    rates = ratesOf(Step(SGD(0.5), every=3, gamma=0.1), 7)

    assert rates == pytest.approx([0.5] * 3 + [0.05] * 3 + [0.005] * 2)


def test_cosine_ends_low_and_stays_there():
    rates = ratesOf(Cosine(SGD(0.5), steps=4, low=0.1), 6)

    half = math.sqrt(0.5)
    assert rates == pytest.approx(
        [0.5 * (0.1 + 0.9 * wave) for wave in (1, (1 + half) / 2, 0.5, (1 - half) / 2, 0, 0, 0)])


def test_warm_up_begins_at_once_and_stays_up():
    assert ratesOf(WarmUp(SGD(0.5), steps=4, low=0.2), 6) == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5])


def test_warm_up_gives_way_to_another_schedule():
    optimizer = SGD(0.5)

    rates = ratesOf(WarmUp(optimizer, 2, low=0.5, then=Cosine(optimizer, 4)), 8)

    assert rates[:3] == pytest.approx([0.25, 0.375, 0.5])
    assert rates[2:] == pytest.approx(ratesOf(Cosine(SGD(0.5), 4), 6))


def test_schedules_follow_each_other():
    optimizer = SGD(1.0)
    last = Step(optimizer, every=1, gamma=0.5)

    rates = ratesOf(WarmUp(optimizer, 1, low=0, then=Cosine(optimizer, 2, then=last)), 5)

    assert rates == pytest.approx([0, 1, 0.5, 1, 0.5, 0.25])


def test_a_warm_up_may_follow():
    optimizer = SGD(1.0)

    rates = ratesOf(Cosine(optimizer, 2, then=WarmUp(optimizer, 2, low=0.5)), 5)

    assert rates == pytest.approx([1, 0.5, 0.5, 0.75, 1, 1])


def test_plateau_waits_for_a_better_value():
    values = [5, 4, 4, 4, 4, 3, 3, 3, 3]

    rates = ratesOf(Plateau(SGD(1.0), gamma=0.5, patience=2), 9, values)

    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_plateau_counts_a_value_as_better_by_its_threshold():
    values = [1.0, 0.95, 0.89, 0.85]

    rates = ratesOf(Plateau(SGD(1.0), gamma=0.5, patience=0, threshold=0.1), 4, values)

    assert rates == [1, 1, 0.5, 0.5, 0.25]


def test_plateau_takes_nan_for_worse():
    assert ratesOf(Plateau(SGD(1.0), patience=0, gamma=0.5), 2, [1.0, np.nan]) == [1, 1, 0.5]


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_adam_takes_the_rate_as_alpha_in_its_next_step(kind):
    module, optimizer = Linear(2, 3), kind(alpha=0.5)
    optimizer.setupOn(module)
    schedule = Step(optimizer, every=1, gamma=0.1)

    for t in range(1, 4):
        optimizer.update()
        assert optimizer.learnRate == pytest.approx(
            0.5 * 0.1 ** (t - 1) * math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t))
        schedule.step()


def test_adaDelta_follows_too():
    assert ratesOf(Step(AdaDelta(), every=1, gamma=0.5), 2) == [1, 0.5, 0.25]


def test_a_schedule_can_follow_the_optimizer_by_itself():
    module, optimizer = Linear(2, 3), SGD(1.0)
    optimizer.setupOn(module)
    optimizer.followers.append(Step(optimizer, every=2, gamma=0.5).step)

    for _ in range(5):
        optimizer.update()

    assert optimizer.learnRate == 0.25


def plans():
    optimizer = SGD(0.7)
    yield Step(optimizer, every=3)
    yield Cosine(SGD(0.7), steps=20)
    optimizer = Adam(0.7)
    yield WarmUp(optimizer, 3, then=Cosine(optimizer, 20, low=0.1))
    optimizer = SGD(0.7)
    yield WarmUp(optimizer, 3, then=Plateau(optimizer, patience=1))


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("done", [0, 2, 3, 8])
def test_a_loaded_schedule_goes_on_with_the_same_bits(number, done):
    values = list(np.random.default_rng(1).uniform(size=16))
    schedule, other = list(plans())[number], list(plans())[number]
    ratesOf(schedule, done, values)
    image = schedule.save()
    setattr(other.optimizer, other.optimizer.rateName, 99.0)

    other.load(image)

    assert ratesOf(other, 8, values[done:]) == ratesOf(schedule, 8, values[done:])


def test_the_base_of_a_file_counts():
    schedule, other = Step(SGD(0.5), every=2), Step(SGD(0.25), every=2)

    other.load(schedule.save())

    assert other.optimizer.learnRate == 0.5


@pytest.mark.parametrize("wrong, message", [
    (lambda group: group.__delitem__("t"), "schedule/t is missing"),
    (lambda group: group.create_dataset("optimizer", data=5.0), "schedule/optimizer is not"),
    (lambda group: group["t"].__setitem__((), -1), "schedule/t must be finite and not negative"),
    (lambda group: group["t"].__setitem__((), np.nan), "schedule/t must be finite"),
    (lambda group: group["base"].__setitem__((), np.inf), "schedule/base must be finite"),
])
def test_a_file_that_does_not_fit_changes_nothing(wrong, message, tmp_path):
    import h5py

    schedule = Cosine(SGD(0.5), steps=9)
    schedule.step()
    before = vars(schedule).copy(), schedule.optimizer.learnRate
    with h5py.File(tmp_path / "schedule.hdf", "w") as file:
        schedule.save(file)
        wrong(file[".schedule"])
        with pytest.raises(ValueError, match=f"Cosine: cannot load .*{message}"):
            schedule.load(file)

    assert (vars(schedule), schedule.optimizer.learnRate) == before


@pytest.mark.parametrize("make, message", [
    (lambda: Cosine(SGD(), 0), "Cosine: steps must be at least 1, got 0"),
    (lambda: Step(SGD(), 0), "Step: every must be at least 1 and gamma above 0, got 0 and 0.1"),
    (lambda: Step(SGD(), 1, -1), "Step: every must be at least 1 and gamma above 0, got 1 and -1"),
    (lambda: WarmUp(SGD(), 1, then=Cosine(SGD(), 1)), "WarmUp: .* must be one of the same optimi"),
    (lambda: Plateau(SGD()).step(), r"Plateau: step takes the value that should fall"),
])
def test_refuses_what_makes_no_plan(make, message):
    with pytest.raises(OptimizerError, match=message):
        make()


def test_a_refused_step_counts_for_nothing():
    schedule = Plateau(SGD())

    with pytest.raises(OptimizerError):
        schedule.step()

    assert schedule.t == 0


def test_a_schedule_of_the_users_needs_a_factor():
    with pytest.raises(NotImplementedError, match="Schedule has no factor"):
        Schedule(SGD()).step()
