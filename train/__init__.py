"""Training on a split: the room where torch, transformers and peft live."""
