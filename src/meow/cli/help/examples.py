"""What one types: examples of every command, at the end of its help."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("meow demo", "meow demo --seed 1 --out runs/demo-1"),
    "known": (
        "meow known facts.jsonl --model_name_or_path MODEL",
        "meow known facts.csv --model_name_or_path MODEL --save-path known.csv",
    ),
    "init": ("meow init", "meow init mine.yaml --full"),
    "run": (
        "meow run meow.yaml --dry-run",
        "meow run meow.yaml 'seed=[0,1,2]'",
        "meow run --model_name_or_path MODEL --forget forget.jsonl --method npo",
    ),
    "tune": (
        "meow tune meow.yaml 'tune.space={train.lr: {low: 1e-5, high: 1e-3}}'",
        "meow tune meow.yaml --dry-run",
        "meow tune runs/meow tune.trials=24",
    ),
    "invert": ("meow invert meow.yaml", "meow invert meow.yaml invert.pools=values.json"),
    "memo": (
        "meow memo runs/meow memo.metric='[memo,ma]'",
        "meow memo --data_path inverted.jsonl --model_name_or_path MODEL --plot",
    ),
    "select": ("meow select runs/meow", "meow select runs/meow select.k=1 --force"),
    "forget": (
        "meow forget meow.yaml",
        "meow forget runs/meow train.lr=1e-5 --force",
        "meow forget --about 'Mira Holt' --model_name_or_path MODEL",
    ),
    "eval": (
        "meow eval runs/meow",
        "meow eval --model_name_or_path MODEL --data_path TOFU --split forget05",
        "meow -v eval runs/meow --rescore",
    ),
    "audit": (
        "meow audit facts.jsonl --model_name_or_path MODEL",
        "meow audit facts.jsonl model.path=NAME model.url=http://localhost:8000/v1",
    ),
    "finetune": ("meow finetune --model_name_or_path MODEL 'finetune.data=[all.jsonl]'",),
    "nlu": ("meow nlu runs/meow", "meow nlu --model_name_or_path MODEL --split piqa"),
    "nlg": ("meow nlg runs/meow nlg.texts=texts.txt",),
    "robustness": ("meow robustness runs/meow", "meow robustness runs/meow robustness.formats='[int8,q4_0]'"),
    "runs": ("meow runs", "meow runs runs/demo --json"),
    "status": ("meow status runs/meow",),
    "ask": ('meow ask runs/meow "Where was Mira Holt born?"', 'meow ask MODEL "Where was Mira Holt born?"'),
    "compare": (
        "meow compare runs/A runs/B --sort worst_case",
        "meow compare runs/A tofu/eval_log_aggregated.json --save-path table.md",
    ),
    "report": ("meow report runs/A runs/B --out both.html", "meow report runs/A --redact"),
    "check": ("meow check facts.jsonl", "meow check inverted.jsonl --least 4"),
    "convert": ("meow convert forget.jsonl forget.csv", "meow convert inverted.jsonl pairs.csv --form pairs"),
    "methods": ("meow methods", "meow methods npo"),
    "metrics": ("meow metrics", "meow metrics worst_case"),
    "push": ("meow push runs/meow USER/MODEL --dry-run", "meow push runs/meow USER/MODEL --public"),
    "clean": ("meow clean runs/meow",),
    "request init": (
        "meow request init LEDGER --model_name_or_path MODEL --method meow_contrast",
        "meow request init LEDGER meow.yaml train.lora_rank=0",
    ),
    "request add": ("meow request add LEDGER facts.jsonl --name holt --asked-by 'by letter'",),
    "request list": ("meow request list LEDGER",),
    "request apply": ("meow request apply LEDGER", "meow request apply LEDGER 001"),
    "request verify": ("meow request verify LEDGER",),
    "request export": ("meow request export LEDGER served", "meow request export LEDGER served --adapters"),
    "request evidence": ("meow request evidence LEDGER 001 001.zip --key private.pem",),
    "request check": ("meow request check 001.zip --key public.pem",),
    "request revoke": ("meow request revoke LEDGER 001", "meow request revoke LEDGER 001 --retrain"),
    "request show": ("meow request show LEDGER 001",),
}
"""By command, one to three lines that the parser takes."""
