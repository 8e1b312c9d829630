"""Who is admitted, who waits, who is recycled, who is killed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.core.governor import (
    Admit,
    Budget,
    Decision,
    Kill,
    Recycle,
    RecyclePolicy,
    Refuse,
    Reservation,
    SlotState,
    State,
    Wait,
    decide,
    recycle_due,
)

BUDGET = Budget(soft_bytes=1000, hard_bytes=1200)


def busy(slot: int, used: int, reserved: int, ceiling: int = 10_000) -> SlotState:
    return SlotState(slot, True, used, base_bytes=10, reserved_bytes=reserved, ceiling_bytes=ceiling)


def idle(slot: int, used: int, *, base: int | None = 10, jobs: int = 1) -> SlotState:
    return SlotState(slot, False, used, base_bytes=base, reserved_bytes=0, ceiling_bytes=10_000, jobs_done=jobs)


def wanted(reserved: int) -> Reservation:
    return Reservation(reserved, "declared")


def answer(*slots: SlotState, want: int | None = None, warm: int | None = None) -> tuple[Decision, ...]:
    return decide(State(BUDGET, slots, None if want is None else wanted(want), warm))


def shape(decisions: tuple[Decision, ...]) -> list[tuple[str, int | None]]:
    """Return what was decided without the reasons."""
    return [(type(decision).__name__, getattr(decision, "slot", None)) for decision in decisions]


# --- the budget ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("soft", "hard"), [(0, 10), (-1, 10), (11, 10)])
def test_a_budget_that_makes_no_sense_is_refused(soft: int, hard: int) -> None:
    """The soft line lies above nothing and not above the hard one."""
    with pytest.raises(ValueError, match="soft"):
        Budget(soft, hard)


def test_the_default_budget_leaves_room_for_the_system() -> None:
    """A machine of 1000 bytes gives 700 to admission and keeps 150 for itself."""
    assert Budget.within(1000) == Budget(soft_bytes=700, hard_bytes=850)


# --- admission -----------------------------------------------------------------------------------


def test_a_job_that_fits_is_admitted_into_a_fresh_slot() -> None:
    """With an empty machine there is nothing to weigh."""
    assert answer(want=1000) == (Admit(None),)


def test_nobody_waiting_and_nothing_wrong_is_nothing_to_do() -> None:
    """A calm state asks for no action."""
    assert answer(busy(1, 100, 500), idle(2, 100)) == ()


def test_reservations_count_before_they_are_used() -> None:
    """A running attempt has its peak before it, so what it reserved is taken."""
    assert shape(answer(busy(1, used=10, reserved=600), want=500)) == [("Wait", None)]


def test_an_attempt_over_its_reservation_counts_with_what_it_holds() -> None:
    """What is used counts when it is more than was reserved."""
    assert shape(answer(busy(1, used=600, reserved=10), want=500)) == [("Wait", None)]


def test_a_job_larger_than_the_soft_line_is_refused_at_once() -> None:
    """It would wait for ever: the sentence names need and limit."""
    assert answer(busy(1, 10, 10), want=1001) == (
        Refuse("The job needs 1001 B (declared); no more than 1000 B can ever be admitted."),
    )


def test_a_warm_slot_is_part_of_the_reservation() -> None:
    """The memory of the slot the job would run in is not counted twice."""
    assert answer(idle(1, 400), busy(2, 100, 300), want=700, warm=1) == (Admit(1),)


def test_an_idle_slot_is_recycled_when_that_makes_room() -> None:
    """Warm memory is given up for work that waits, the job comes in once it is free."""
    assert shape(answer(idle(1, 100), idle(2, 400), want=700)) == [("Recycle", 2), ("Wait", None)]


def test_idle_slots_stay_warm_when_recycling_would_not_help() -> None:
    """Nothing is gained by losing a loaded model while a running attempt holds the rest."""
    assert shape(answer(idle(1, 100), busy(2, 10, 900), want=700)) == [("Wait", None)]


# --- over the lines ------------------------------------------------------------------------------


def test_over_the_soft_line_idle_slots_go_largest_first() -> None:
    """As many as are needed, and no more."""
    assert shape(answer(busy(1, 800, 800), idle(2, 50), idle(3, 250))) == [("Recycle", 3)]


def test_over_the_soft_line_jobs_wait_although_they_are_small() -> None:
    """Admission stops until memory has been given back."""
    assert shape(answer(busy(1, 900, 900), idle(2, 200), want=1)) == [("Recycle", 2), ("Wait", None)]


def test_over_the_hard_line_the_one_most_over_its_reservation_is_killed() -> None:
    """A large attempt that keeps its word survives a small one that does not."""
    assert shape(answer(busy(1, 900, 900), busy(2, 400, 50))) == [("Kill", 2)]


def test_idle_slots_are_given_up_before_running_ones_are_killed() -> None:
    """Over the hard line, too, nobody's work is lost while warm slots can make up for it."""
    assert shape(answer(busy(1, 900, 100), idle(2, 400))) == [("Recycle", 2)]


def test_a_slot_over_its_own_ceiling_is_killed_whatever_the_budget() -> None:
    """One runaway slot does not wait for the machine to be full."""
    (kill,) = answer(busy(1, used=300, reserved=100, ceiling=200))
    assert kill == Kill(1, "It holds 300 B; its ceiling is 200 B.")


def test_a_slot_killed_for_its_ceiling_may_spare_the_others() -> None:
    """Its memory is as good as free, so nobody else is killed for the budget."""
    assert shape(answer(busy(1, 900, 900, ceiling=800), busy(2, 400, 50))) == [("Kill", 1)]


# --- whatever the state ----------------------------------------------------------------------------

slots_of = st.lists(
    st.builds(
        lambda running, used, reserved, ceiling: (running, used, reserved if running else 0, ceiling),
        st.booleans(),
        st.integers(0, 1500),
        st.integers(0, 1000),
        st.integers(1, 2000),
    ),
    max_size=6,
).map(
    lambda rows: tuple(
        SlotState(number, running, used, 10, reserved, ceiling)
        for number, (running, used, reserved, ceiling) in enumerate(rows)
    )
)
states = st.builds(
    lambda slots, want: State(BUDGET, slots, None if want is None else wanted(want)),
    slots_of,
    st.none() | st.integers(1, 1500),
)


@given(states)
def test_the_admitted_never_pass_the_soft_line(state: State) -> None:
    """Whoever is admitted fits beside all that is committed."""
    if any(isinstance(decision, Admit) for decision in decide(state)):
        assert state.wanted is not None
        committed = sum(slot.committed_bytes for slot in state.slots)
        assert committed + state.wanted.reserved_bytes <= BUDGET.soft_bytes


@given(states)
def test_whoever_waits_gets_exactly_one_answer(state: State) -> None:
    """Admit, wait or refuse: one of them if a job is there, none if not."""
    answers = [decision for decision in decide(state) if isinstance(decision, Admit | Wait | Refuse)]
    assert len(answers) == (state.wanted is not None)


@given(states)
def test_only_idle_slots_are_recycled_and_none_is_ended_twice(state: State) -> None:
    """Recycling loses no work."""
    idle_slots = {slot.slot for slot in state.slots if not slot.busy}
    ended = [decision.slot for decision in decide(state) if isinstance(decision, Recycle | Kill)]
    assert len(ended) == len(set(ended))
    assert {decision.slot for decision in decide(state) if isinstance(decision, Recycle)} <= idle_slots


@given(states)
def test_acting_on_the_answers_ends_in_a_calm_state(state: State) -> None:
    """Kills and recycles come to an end under the hard line, and a job that can fit is let in when nothing runs."""
    for _ in range(len(state.slots) + 1):
        ended = {decision.slot for decision in decide(state) if isinstance(decision, Recycle | Kill)}
        if not ended:
            break
        state = State(BUDGET, tuple(slot for slot in state.slots if slot.slot not in ended), state.wanted)
    final = decide(state)
    assert not any(isinstance(decision, Recycle | Kill) for decision in final)
    assert sum(slot.used_bytes for slot in state.slots) <= BUDGET.hard_bytes
    if state.wanted and not any(slot.busy for slot in state.slots) and state.wanted.reserved_bytes <= BUDGET.soft_bytes:
        assert final == (Admit(None),)


# --- one slot at a safepoint -----------------------------------------------------------------------

POLICY = RecyclePolicy(max_jobs=100, jitter_share=0.2, growth_bytes=500)


@pytest.mark.parametrize(("jitter", "jobs"), [(0.0, 100), (0.5, 90), (1.0, 80)])
def test_a_slot_is_replaced_after_its_number_of_jobs(jitter: float, jobs: int) -> None:
    """The slot's own number spreads the ends."""
    assert recycle_due(idle(1, 10, jobs=jobs - 1), POLICY, jitter) is None
    assert recycle_due(idle(1, 10, jobs=jobs), POLICY, jitter) is not None


def test_a_slot_that_grew_over_its_baseline_is_replaced() -> None:
    """Growth counts from the moment the model was loaded."""
    assert recycle_due(idle(1, 510, base=10), POLICY, 0.0) is None
    found = recycle_due(idle(1, 511, base=10), POLICY, 0.0)
    assert found is not None
    assert "501 B more" in found.reason


def test_without_a_baseline_growth_is_not_guessed() -> None:
    """Not measured is not zero."""
    assert recycle_due(idle(1, 10_000, base=None), POLICY, 0.0) is None


def test_a_busy_slot_is_never_due() -> None:
    """Safepoints lie between attempts."""
    worn = SlotState(1, True, 10_000, 10, 100, 20_000, jobs_done=1000)
    assert recycle_due(worn, POLICY, 1.0) is None


@pytest.mark.parametrize("wrong", [{"max_jobs": 0}, {"jitter_share": 1.0}, {"growth_bytes": -1}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """Settings are checked where they are made."""
    with pytest.raises(ValueError, match="out of range"):
        RecyclePolicy(**wrong)  # type: ignore[arg-type]
