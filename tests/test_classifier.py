"""The quality classifier: it learns, repeats itself to the byte, and keeps quiet."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quality.classifier import load, normalise, score, train

GOOD = {
    "en": "The study describes how the theory explains results that were measured before".split(),
    "zh": list("研究表明这种方法可以解释以前测量的结果因为理论描述了现象"),
}
BAD = {
    "en": "buy cheap pills online now best casino bonus click here free win offer".split(),
    "zh": list("点击这里免费注册送彩金博彩娱乐城优惠价格购买下载"),
}


def sample(count: int, seed: int, language: str) -> list[tuple[str, str]]:
    dice = random.Random(seed)
    gap = "" if language == "zh" else " "
    rows = []
    for i in range(count):
        label, common = ("good", GOOD) if i % 2 else ("bad", BAD)
        rows.append((gap.join(dice.choices(common[language], k=20)) + "。\n", label))
    return rows


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.bin"
    train(sample(200, 1, "en") + sample(200, 1, "zh"), path, dim=8, bucket=1000)
    return path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_learns_what_it_was_shown(model_path: Path, language: str):
    rows = sample(100, 2, language)
    scores = score(load(model_path), [text for text, _ in rows])
    right = (scores > 0.5) == np.array([label == "good" for _, label in rows])
    assert right.mean() > 0.95
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores == np.round(scores, 4)).all()


def test_scores_do_not_depend_on_the_batch_or_on_case_and_layout(model_path: Path):
    model = load(model_path)
    texts = [text for text, _ in sample(20, 3, "en")]
    together = score(model, texts)
    assert together.tolist() == [float(score(model, [t])[0]) for t in texts]
    assert (
        together.tolist() == score(model, [t.upper().replace(" ", "\n\n") for t in texts]).tolist()
    )


def test_nothing_to_score_is_nan(model_path: Path):
    scores = score(load(model_path), ["", " \n\t", "word", "\ud800 lone"])
    assert np.isnan(scores).tolist() == [True, True, False, False]
    assert score(load(model_path), []).shape == (0,)


def test_training_repeats_to_the_byte_here_and_in_a_fresh_process(tmp_path: Path, model_path: Path):
    # model_path is the first training of this process; this is a later one.
    rows = sample(200, 1, "en") + sample(200, 1, "zh")
    again = train(rows, tmp_path / "again.bin", dim=8, bucket=1000)
    assert (tmp_path / "again.bin").read_bytes() == model_path.read_bytes()
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_classifier import sample; from quality.classifier import train\n"
        "rows = sample(200, 1, 'en') + sample(200, 1, 'zh')\n"
        "print(train(rows, sys.argv[1], dim=8, bucket=1000), end='')"
    )
    here = Path(__file__).parent
    fresh = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "fresh.bin"), str(here), str(here.parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    # The whole output is the digest: fastText adds nothing, on either stream.
    assert (fresh.stdout, fresh.stderr) == (again, "")
    assert train(rows, tmp_path / "other.bin", dim=8, bucket=1000, seed=1) != again
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.bin", "fresh.bin", "other.bin"]


def test_loading_and_scoring_print_nothing(model_path: Path, capfd: pytest.CaptureFixture[str]):
    score(load(model_path), ["word"])
    assert capfd.readouterr() == ("", "")


def test_a_text_cannot_spell_a_label_or_a_line_end():
    line = normalise("a __label__good </s> B\r\nc\x00d\u2028e")
    assert "__label__" not in line
    assert "</s>" not in line
    assert line.split() == line.split(" ")
    assert normalise("我爱Python") == "我 爱 python"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"labels \[\]"),
        ([("a", "good")], "wants 'good' and another"),
        ([("a", "bad"), ("b", "ugly")], "wants 'good'"),
        ([("a", "good"), ("b", "very bad")], "'very bad'"),
        ([("a", "good"), ("b", "")], "''"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, rows: list, message: str):
    with pytest.raises(ValueError, match=message):
        train(rows, tmp_path / "m.bin")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_model(tmp_path: Path):
    junk = tmp_path / "junk.bin"
    junk.write_bytes(b"junk" * 100)
    for path in (junk, tmp_path / "missing.bin"):
        with pytest.raises(ValueError, match=path.name):
            load(path)
