"""The order of stages."""

from hypothesis import given
from hypothesis import strategies as st

from engine.config.order import Anchor, order_stages

SET_BY = "command line"


def ordered(**anchors: Anchor) -> tuple[str, ...]:
    labels, mistakes = order_stages(anchors, lambda key: SET_BY)
    assert not mistakes
    return labels


def mistakes(**anchors: Anchor) -> list[str]:
    return [str(mistake) for mistake in order_stages(anchors, lambda key: SET_BY)[1]]


FREE = Anchor()


def test_without_anchors_order_is_that_of_declaration() -> None:
    assert ordered(c=FREE, a=FREE, b=FREE) == ("c", "a", "b")


def test_a_stage_goes_right_beside_its_anchor() -> None:
    assert ordered(a=FREE, b=FREE, c=FREE, x=Anchor(after="a")) == ("a", "x", "b", "c")
    assert ordered(a=FREE, b=FREE, c=FREE, x=Anchor(before="c")) == ("a", "b", "x", "c")
    assert ordered(x=Anchor(after="c"), a=FREE, b=FREE, c=FREE) == ("a", "b", "c", "x")


def test_stages_at_one_anchor_keep_their_order() -> None:
    both = ordered(
        a=FREE, x=Anchor(after="a"), y=Anchor(after="a"), p=Anchor(before="a"), q=Anchor(before="a")
    )
    assert both == ("p", "q", "a", "x", "y")


def test_a_moved_stage_takes_along_what_is_anchored_to_it() -> None:
    assert ordered(a=FREE, b=FREE, x=Anchor(after="y"), y=Anchor(before="a")) == ("y", "x", "a", "b")


def test_a_long_chain() -> None:
    labels = [f"s{i}" for i in range(1200)]
    chain = {label: Anchor(after=labels[i + 1]) for i, label in enumerate(labels[:-1])} | {labels[-1]: FREE}
    assert ordered(**chain) == tuple(reversed(labels))


def test_unknown_anchor() -> None:
    assert mistakes(fill=FREE, model=FREE, log=Anchor(after="fil")) == [
        "stages.log.after: no stage is labelled 'fil'. Did you mean 'fill'?\n"
        "  labels: fill, model\n"
        "  set by: command line"
    ]


def test_circle_is_told_once() -> None:
    anchors = {
        "a": Anchor(after="b"),
        "b": Anchor(before="c"),
        "c": Anchor(after="a"),
        "d": Anchor(after="a"),
    }
    assert mistakes(**anchors) == [
        "stages.a.after: the anchors run in a circle: a after b, b before c, c after a\n"
        "  set by: command line"
    ]
    assert mistakes(a=Anchor(before="a")) == [
        "stages.a.before: the anchors run in a circle: a before a\n  set by: command line"
    ]


def test_two_anchors() -> None:
    assert mistakes(a=FREE, b=FREE, x=Anchor(before="b", after="a")) == [
        "stages.x: it has both before: b and after: a; a stage has one anchor\n"
        "  remove one: ~stages.x.before or ~stages.x.after\n"
        "  before set by: command line        after set by: command line"
    ]


LABELS = [f"s{i}" for i in range(8)]
ANCHORS = st.one_of(
    st.just(FREE),
    st.sampled_from(LABELS).map(lambda label: Anchor(before=label)),
    st.sampled_from(LABELS).map(lambda label: Anchor(after=label)),
)


@given(st.permutations(LABELS), st.lists(ANCHORS, min_size=8, max_size=8))
def test_order_is_stable(labels: list[str], anchors: list[Anchor]) -> None:
    declared = dict(zip(labels, anchors, strict=True))
    order, mistakes = order_stages(declared, lambda key: "")
    assert sorted(order) == sorted(labels)
    assert [label for label in order if declared[label] == FREE] == [
        la for la in labels if declared[la] == FREE
    ]
    if mistakes:
        return
    for label, anchor in declared.items():
        if anchor.after:
            assert order.index(label) > order.index(anchor.after)
        if anchor.before:
            assert order.index(label) < order.index(anchor.before)
