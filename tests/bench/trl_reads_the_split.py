"""Asks TRL itself, in a virtual environment of its own, how it would read the sample's split.

    python tests/bench/trl_reads_the_split.py [SPLIT]    (SPLIT: default data/split/latest-sample)

Prints whether TRL takes the rows for conversational prompt-completion data, and for how many of 200 rows its
trainer's own tokenizing step puts exactly the completion into the labels.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import tell
from peers.venv import python_of

ROOT = Path(__file__).resolve().parents[2]
INSIDE = """
import sys, os
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TRANSFORMERS_VERBOSITY="error")
import warnings
import datasets, trl
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer
from trl.data_utils import is_conversational

datasets.disable_progress_bars()
warnings.simplefilter("ignore")
split = datasets.load_dataset(sys.argv[1])
print("sides:", {side: rows.num_rows for side, rows in split.items()})
row = split["train"][0]
print("trl", trl.__version__, "is_conversational:", is_conversational({"prompt": row["prompt"]}))
single = split["train"].filter(lambda row: row["template"] != "chat").select(range(200))
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=sys.argv[2], bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|pad|>"
)
tokenizer.chat_template = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|eos|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
model = LlamaForCausalLM(
    LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2)
)
arguments = SFTConfig(output_dir=sys.argv[3], report_to="none", use_cpu=True, max_length=512, bf16=False)
print("completion_only_loss setting:", arguments.completion_only_loss, "(None: by the columns)")
trainer = SFTTrainer(model=model, args=arguments, train_dataset=single, processing_class=tokenizer)
print("trainer decides completion_only_loss:", trainer.completion_only_loss)
right = 0
for before, after in zip(single, trainer.train_dataset, strict=True):
    learnt = [token for token, label in zip(after["input_ids"], after["labels"]) if label != -100]
    given = [token for token, label in zip(after["input_ids"], after["labels"]) if label == -100]
    said = before["completion"][0]["content"]
    right += tokenizer.decode(learnt).replace("<|eos|>", "").replace("<|assistant|>", "").strip() == said.strip() and (
        before["prompt"][-1]["content"].strip() in tokenizer.decode(given)
    )
print(f"{right} of {single.num_rows} rows: exactly the completion is in the loss")
"""


def main() -> None:
    """Build the environment on first use, then run the check in it."""
    split = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "data" / "split" / "latest-sample")
    if not split.exists():
        print(f"trl_reads_the_split: skipped, no split at {split}; run `make data`")
        return
    tokenizer = ROOT / "data" / "sample" / "tokenizer" / "tokenizer.json"
    with tempfile.TemporaryDirectory() as place:
        words = [str(python_of("trl")), "-c", INSIDE, str(split.resolve()), str(tokenizer), place]
        # The checkout's packages have bare names, and are none of TRL's.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(words, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="")
    if found := re.search(r"^(\d+) of (\d+) rows", done.stdout, re.MULTILINE):
        tell("rows with exactly the completion in the loss", int(found[1]), of=int(found[2]))


if __name__ == "__main__":
    main()
