import json

import numpy as np
from transformers import AutoTokenizer

from train.classes import Classes, Labels
from train.golden import Golden, write_golden


def test_the_answer_of_a_classifier_is_the_name_of_its_class(base_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    encoder = Classes(tokenizer, Labels(("refund", "shipping")), 100)
    golden = [Golden("a", tokenizer("my parcel").input_ids, [1], np.zeros((1, 2)))]
    write_golden(golden, tokenizer, encoder.read_back, tmp_path / "golden.jsonl")
    (line,) = map(json.loads, (tmp_path / "golden.jsonl").read_text("utf-8").splitlines())
    assert (line["answer"], line["answer_ids"]) == ("shipping", [1])
    assert line["prompt"] == "my parcel"
