"""The clean rows differ from each other, and no answer can be had by copying the nearest example's."""

import random
import statistics

from rapidfuzz import fuzz, process
from tokenizers import Tokenizer

MOST_ALIKE = 90
ANSWERABLE = (
    "alpaca.json", "news.csv", "phrases.tsv", "tickets.jsonl", "products.parquet", "questions.jsonl.gz",
    "support.jsonl", "assistant.jsonl",
)  # fmt: skip


def whole_prompt(row):
    return f"{row.fields.get('target_language', '')} {row.prompt}"


def nearest_answers(rows, seed=1, tested=200):
    """The share of test rows whose answer is that of the nearest of the other nine tenths."""
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    held = len(rows) // 10
    test, train = rows[:held][:tested], rows[held:]
    prompts = [whole_prompt(row) for row in train]
    hits = 0
    for row in test:
        _, _, place = process.extractOne(whole_prompt(row), prompts, scorer=fuzz.ratio)
        hits += train[place].response == row.response
    return hits, len(test)


def look_alikes(rows):
    """How many of the first 700 rows have another one with a prompt at 0.9 or more."""
    prompts = [whole_prompt(row) for row in rows[:700]]
    scores = process.cdist(prompts, prompts, scorer=fuzz.ratio, score_cutoff=MOST_ALIKE, workers=1)
    for place in range(len(prompts)):
        scores[place][place] = 0
    return int((scores.max(axis=1) >= MOST_ALIKE).sum()), len(prompts)


def test_no_two_clean_rows_of_a_file_share_their_whole_prompt(clean):
    for name, rows in clean.items():
        prompts = {"".join(filter(str.isalnum, whole_prompt(row).casefold())) for row in rows}
        assert len(prompts) == len(rows), name


def test_copying_the_answer_of_the_nearest_prompt_is_seldom_right(clean):
    hits = tested = 0
    for name in ANSWERABLE:
        right, all_of_them = nearest_answers(clean[name])
        assert right < (0.5 if name == "tickets.jsonl" else 0.3) * all_of_them, name
        hits, tested = hits + right, tested + all_of_them
    assert hits < 0.3 * tested


def test_few_clean_rows_look_like_another_one(clean):
    alike = total = 0
    for name in ANSWERABLE:
        found, looked_at = look_alikes(clean[name])
        alike, total = alike + found, total + looked_at
    assert alike < 0.08 * total


def test_no_label_is_the_answer_to_most_tickets(clean):
    labels = [row.response for row in clean["tickets.jsonl"]]
    assert len(set(labels)) == 8
    assert max(labels.count(label) for label in set(labels)) < 0.25 * len(labels)


def test_prompts_and_responses_are_short(clean, sample):
    tokenizer = Tokenizer.from_file(str(sample / "tokenizer" / "tokenizer.json"))
    prompts, responses, sums = [], [], []
    for name in ANSWERABLE[:6]:
        for row in clean[name]:
            asked = len(tokenizer.encode(row.prompt).ids)
            answered = len(tokenizer.encode(row.response).ids)
            prompts.append(asked)
            responses.append(answered)
            sums.append(asked + answered)
    assert statistics.median(prompts) < 90
    assert statistics.median(responses) < 20
    assert statistics.quantiles(sums, n=100)[98] < 220
