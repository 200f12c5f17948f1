"""The embedded emoji: files, splits, batches and cases."""

import hashlib
import io
import re
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ansatz.core.recipe import Position
from ansatz.image.emoji.captions import BEGIN, PAD
from ansatz.image.emoji.dataset import EMBEDDED, NAMES, VOCABULARY, Collection, Emoji
from ansatz.image.emoji.names import LANGUAGES, read_names, table
from ansatz.image.emoji.phrases import STYLES, Draws, phrase
from ansatz.image.emoji.sheets import lossless, read_sheet, sheet
from ansatz.image.emoji.splits import Shares, kin, split_codes

RAW = Path(str(files("ansatz.image") / "embedded/emoji"))
DATA = Emoji()
MODEL = torch.nn.Identity()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emoji")
    DATA.fill(RAW, folder)
    return folder


@pytest.fixture(scope="module")
def collection(store):
    return Collection(store)


def place_of(collection, label):
    return [name.labels["en"] for name in collection.names].index(label)


# --------------------------------------------------------------------------------------- files
def test_the_embedded_files_are_those_of_the_card_and_small():
    card = (RAW / "README.md").read_text()
    paths = [RAW / file.path for file in EMBEDDED.files]
    assert sum(path.stat().st_size for path in paths) < 4.5e6
    for path in paths:
        assert re.search(f"{path.name}.*{hashlib.sha256(path.read_bytes()).hexdigest()}", card)


def test_the_card_carries_every_notice():
    card = (RAW / "README.md").read_text()
    for notice in (
        "Copyright (c) Microsoft Corporation",
        "Miles Johnson",
        "Unicode, Inc.",
        "Copyright 2013 Google, Inc.",
        "Twitter, Inc and other contributors",
        "https://creativecommons.org/licenses/by/4.0/",
        "https://www.apache.org/licenses/LICENSE-2.0",
    ):
        assert notice in card


def test_a_heart_is_red_and_a_blue_one_blue_in_every_style(collection):
    for label, color in (("red heart", 0), ("blue heart", 2)):
        middle = collection.pictures[place_of(collection, label), :, :, 14:18, 14:18]
        assert (middle.mean((2, 3)).argmax(1) == color).all()


def test_every_name_has_words_in_every_language():
    names = read_names(RAW / NAMES)
    assert len({name.code for name in names}) == len(names)
    for language in LANGUAGES:
        assert len({name.labels[language] for name in names}) == len(names)
    cherry = next(name for name in names if name.code == "1F338")
    assert cherry.labels == {"en": "cherry blossom", "ko": "벚꽃", "ja": "桜", "zh": "樱花"}
    assert "spring" in cherry.tags["en"]


def test_no_skin_tones():
    tones = {f"1F3F{letter}" for letter in "BCDEF"}
    assert not any(tones & set(name.code.split("-")) for name in read_names(RAW / NAMES))


def test_a_table_and_a_sheet_come_back(tmp_path):
    names = read_names(RAW / NAMES)
    (tmp_path / NAMES).write_bytes(table(names))
    assert read_names(tmp_path / NAMES) == names
    pictures = np.random.default_rng(0).integers(0, 256, (45, 32, 32, 3), np.uint8)
    (tmp_path / "some.webp").write_bytes(lossless(sheet(pictures)))
    np.testing.assert_array_equal(read_sheet(tmp_path / "some.webp", 45), pictures)
    with pytest.raises(ValueError, match=r"1280 x 64 pixels, and a sheet of 81 pictures has 1280"):
        read_sheet(tmp_path / "some.webp", 81)


def test_a_sheet_is_an_image_read_row_by_row():
    pictures = np.zeros((41, 32, 32, 3), np.uint8)
    pictures[1], pictures[40] = 50, 90
    image = Image.open(io.BytesIO(lossless(sheet(pictures))))
    assert image.size == (1280, 64)
    assert image.getpixel((32, 31)) == (50, 50, 50)
    assert image.getpixel((0, 32)) == (90, 90, 90)
    assert image.getpixel((32, 32)) == (255, 255, 255)


# -------------------------------------------------------------------------------------- splits
def test_the_splits_are_disjoint_complete_and_about_as_large_as_asked(collection):
    sizes = {split: len(collection.pairs(split)) for split in ("train", "validation", "test")}
    pairs = collection.splits.size
    assert sum(sizes.values()) == pairs == 4 * len(collection.names)
    unseen = (collection.splits == 3).sum() / pairs
    assert unseen == pytest.approx(0.02, abs=0.01)
    assert sizes["test"] / pairs - unseen == pytest.approx(0.05, abs=0.01)
    assert sizes["validation"] / pairs == pytest.approx(0.02, abs=0.005)


def test_a_name_is_seen_in_three_styles_or_in_none(collection):
    unseen = (collection.splits == 3).sum(1)
    assert set(unseen.tolist()) == {0, 4}
    assert set((collection.splits == 0).sum(1)[unseen == 0].tolist()) == {3, 4}


def test_no_held_out_picture_is_one_of_training(collection):
    seen = {collection.pictures[name, style].tobytes() for name, style in collection.pairs("train")}
    twins = [
        (name, style)
        for split in ("validation", "test")
        for name, style in collection.pairs(split).tolist()
        if collection.pictures[name, style].tobytes() in seen
    ]
    # Within a name two styles may agree: the tongue of both Fluents.
    assert all(collection.splits[name].tolist().count(0) == 3 for name, _ in twins)
    assert len(twins) <= 1


def test_a_split_is_a_property_of_the_code():
    pictures = np.arange(200 * 4, dtype=np.uint16).view(np.uint8).reshape(200, 4, 2)
    codes = [f"{number:X}" for number in range(200)]
    shares = Shares(0.1, 0.1, 0.1)
    whole = split_codes(codes, pictures, shares)
    np.testing.assert_array_equal(split_codes(codes[::-1], pictures[::-1], shares), whole[::-1])
    np.testing.assert_array_equal(split_codes(codes[50:], pictures[50:], shares), whole[50:])


def test_kin_share_a_picture_over_any_number_of_steps():
    pictures = np.array([[1, 2], [3, 4], [5, 1], [6, 5], [7, 8]], np.uint8)[..., None]
    assert kin(pictures) == [0, 1, 0, 0, 4]
    late = np.array([[1, 2], [3, 4], [1, 3]], np.uint8)[..., None]
    assert kin(late) == [0, 0, 0]


# --------------------------------------------------------------------------------------- store
def test_the_same_files_make_the_same_store(store, tmp_path):
    one, two = DATA.fill(RAW, tmp_path), DATA.fill(RAW, tmp_path)
    assert one == two
    assert one.samples == 4 * len(read_names(RAW / NAMES))
    assert DATA.fill(RAW, store) == one


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"holds model\.safetensors"):
        DATA.fill(RAW, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_words_that_only_held_out_names_have_are_not_learned(collection, store):
    words = set((store / VOCABULARY).read_text().split("\n"))
    texts = [
        " ".join(name.texts()).lower()
        for name, splits in zip(collection.names, collection.splits, strict=True)
        if 0 in splits
    ]
    everything = "\n".join(texts) + " style 스타일 スタイル 风格 ，、, " + " ".join(STYLES)
    assert all(word in everything for word in words)
    assert {*STYLES, "style", "스타일", "cherry"} <= words


# ------------------------------------------------------------------------------------- batches
def test_a_batch_shows_the_pictures_of_its_names_and_styles(store, collection):
    batch = DATA.batches(store, "train", 16)(Position(0, 3), MODEL)
    assert batch["images"].shape == (16, 3, 32, 32)
    assert batch["tokens"].shape == (16, 32)
    for image, name, style in zip(batch["images"], batch["names"], batch["styles"], strict=True):
        pixels = torch.from_numpy(collection.pictures[name, style]).float()
        torch.testing.assert_close((image + 1) * 127.5, pixels, atol=1e-4, rtol=0)
        assert image.min() >= -1
        assert image.max() <= 1
        assert collection.splits[name, style] == 0


def test_a_batch_is_a_function_of_its_position(store):
    one, two = (DATA.batches(store, "train", 8) for _ in range(2))
    for key, value in one(Position(1, 5), MODEL).items():
        torch.testing.assert_close(value, two(Position(1, 5), MODEL)[key], rtol=0, atol=0)


def test_captions_of_validation_are_label_and_style(store, collection):
    batch = DATA.batches(store, "validation", 32)(Position(0, 0), MODEL)
    for tokens, place, style in zip(batch["tokens"], batch["names"], batch["styles"], strict=True):
        name = collection.names[int(place)]
        known = {
            phrase([name.labels[one]], STYLES[style], one).lower().replace(" ", "")
            for one in LANGUAGES
        }
        assert collection.tokenizer.decode(tokens.tolist()).replace(" ", "") in known


def test_captions_vary_as_asked(collection):
    rng = np.random.default_rng(0)
    name = collection.names[place_of(collection, "cherry blossom")]
    draws = Draws(english=1, spelled=0)
    drawn = Counter(
        collection.tokenizer.decode(draws.caption(name, "noto", collection.tokenizer, rng))
        for _ in range(4000)
    )
    total = drawn.total()
    assert drawn[""] / total == pytest.approx(0.1, abs=0.02)
    said = Counter({text: count for text, count in drawn.items() if text})
    without_style = sum(n for text, n in said.items() if not text.endswith(", noto style"))
    assert without_style / said.total() == pytest.approx(0.1, abs=0.02)
    unlabeled = sum(n for text, n in said.items() if not text.startswith("cherry blossom"))
    assert unlabeled / said.total() == pytest.approx(0.1, abs=0.02)
    assert said["cherry blossom, noto style"] > said["cherry blossom, spring, noto style"] > 0


def test_the_longest_names_fit_however_they_are_spelled(collection):
    rng = np.random.default_rng(0)
    hard = replace(DATA.draws, spelled=1.0, tags=9)
    for name in collection.names[::7]:
        tokens = hard.caption(name, "twemoji", collection.tokenizer, rng)
        assert len(tokens) == 32
        assert tokens[0] == BEGIN
    longest = max(collection.names, key=lambda name: len(name.labels["ja"]))
    assert PAD in DATA.draws.plain(longest, "twemoji", collection.tokenizer, rng)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caption_comes_back_in_every_language(collection, language):
    for name in collection.names:
        text = phrase([name.labels[language], *name.tags[language]], "noto", language)
        tokens = collection.tokenizer.encode(text)
        assert collection.tokenizer.decode(tokens) == text.lower()


# --------------------------------------------------------------------------------------- cases
def test_cases_ask_for_what_was_held_out(store, collection):
    cases = list(DATA.cases(store, "test"))
    assert len(cases) == len(collection.pairs("test"))
    for text, prompt, glyph in cases:
        assert prompt.text == text
        label = collection.names[glyph.name].labels["en"]
        assert text == f"{label}, {STYLES[glyph.style]} style"
        np.testing.assert_array_equal(glyph.picture, collection.pictures[glyph.name, glyph.style])
        assert glyph.unseen == (0 not in collection.splits[glyph.name])
    korean = next(iter(replace(DATA, asked="ko").cases(store, "test")))[0]
    assert korean.endswith(" 스타일")


def test_more_may_be_held_out(tmp_path):
    replace(DATA, validation=0.1).fill(RAW, tmp_path)
    splits = Collection(tmp_path).splits
    assert (splits == 1).mean() == pytest.approx(0.1, abs=0.015)
