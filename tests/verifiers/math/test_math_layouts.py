"""The maths verifier takes an answer in whatever layout it is written, and nothing else with it."""

import json
import subprocess
import sys

import pytest

from hero_rl.verifiers import MathVerifier, Reason

LAYOUTS = {
    "tag, box": r"<think>hm</think>\n<answer>\boxed{@}</answer>".replace(r"\n", "\n"),
    "tag, lines, box": "Work.\n<answer>\n\\boxed{@}\n</answer>",
    "tag": "<answer>@</answer>",
    "tag, math": "<solution>$@$</solution>",
    "tag in capitals": "<reasoning>\nhm\n</reasoning>\n<SOLUTION>\n@\n</SOLUTION>",
    "tag, sentence": "<answer>The value we want is $@$.</answer>",
    "tag not closed, as generation stopped there": "<answer>@",
    "tag of the text": r"<p>Hence <b>\boxed{@}</b></p>",
    "tag, label": "<final_answer>**Final answer:** $@$</final_answer>",
    "GLM": "Done.\n<|begin_of_box|>@<|end_of_box|>",
    "quotation": "Therefore:\n\n> \\boxed{@}",
    "bold box": r"It is **\boxed{@}**.",
    "italic box": r"*\boxed{@}*",
    "box of bold": r"\boxed{**@**}",
    "box of a tag": r"\boxed{<answer>@</answer>}",
    "box of code": r"\boxed{`@`}",
    "LaTeX bold box": r"\textbf{Answer: }\boxed{@}",
    "coloured box": r"\color{red}{\boxed{@}}",
    "backspace in a file": "$\x08oxed{@}$",
    "forgotten backslash": "$boxed{@}$",
    "dash": r"Final answer - \boxed{@}",
    "bullet": r"- $\boxed{@}$",
    "numbered step": r"Step 2 - \boxed{@}",
    "display": "Hence\n\\[\n\\boxed{@}\n\\]",
    "aligned": "\\begin{align*}\nx &= 1 + 1 \\\\\n&= \\boxed{@}\n\\end{align*}",
    "an echo before": r"I put it in \boxed{}. So \boxed{@}.",
    "an echo behind": r"It is \boxed{@}, as asked in \boxed{...}.",
    "an echo of words": r"It is \boxed{@}. Format: \boxed{your answer}.",
    "an empty box and a statement": r"\boxed{} The answer is $@$.",
    "bold value": "Thus the requested value is **$@$**.",
    "bold value with the stop": "Thus it is **$@$.**",
    "bold paragraph": "We compute it.\n\n**$@$**",
    "heading": "## Final Answer\n\n$@$",
    "heading, next line": "## Answer\n@",
    "bold heading": "**Final Answer**\n@",
    "decorated heading": "---\n\n### ✅ Final Answer:\n\n$$@$$\n\n---",
    "label": "Answer: @",
    "bold label": "**Final Answer:** $@$",
    "all bold": "**Answer: $@$**",
    "quoted label": "> **Answer:** $@$",
    "listed label": "1. We add.\n2. Final answer: $@$",
    "arrow": "Answer → $@$",
    "code": "Answer: `@`",
    "code, math": "Answer: `$@$`",
    "said, code": "The answer is `@`.",
    "said, quotes": 'The answer is "@".',
    "fence": "Final answer:\n```\n@\n```",
    "GSM8K": "3 + 4 = 7\n#### @",
    "JSON, Python": "{'answer': '@'}",
    "table, row": "| Step | Value |\n|---|---|\n| Work | done |\n| **Final answer** | $@$ |",
    "table, column": "| Question | Answer |\n|---|---|\n| total | $@$ |",
    "farewell": "Hence the value is $@$.\n\nI hope this helps! Let me know if you have questions.",
    "a remark behind": "So \\boxed{@}.\n\nThis is what was asked for, as the check above shows.",
    "Chinese": "因此，最终答案是 $@$。",
    "Chinese, box": r"所以答案为：\boxed{@}。",
    "Japanese": "したがって、答えは $@$ です。",
    "Korean": "따라서 정답은 $@$입니다.",
    "Russian": "**Ответ:** $@$",
    "French": "**Réponse finale :** $@$",
    "Spanish": "Por lo tanto, la respuesta es $@$.",
    "German": "Die Antwort lautet $@$.",
    "Portuguese": "A resposta é $@$.",
    "Vietnamese": "Đáp án: $@$",
    "Arabic": "الإجابة هي $@$",
    "gpt-oss": "<|channel|>analysis<|message|>\\boxed{99}<|end|><|start|>assistant<|channel|>final<|message|>"
    "**Answer:** \\(@\\)<|return|>",
    "gpt-oss, control tokens lost": "analysisWe try \\boxed{99}.assistantfinalThe answer is \\(@\\).",
    "Magistral": r"[THINK]\boxed{99}[/THINK]The final answer is **$@$**.</s>",
    "Sky": "<|begin_of_thought|>\\boxed{99}<|end_of_thought|>\n<|begin_of_solution|>\n\\boxed{@}\n<|end_of_solution|>",
    "DeepSeek": r"</think>So \[\boxed{@}\]<｜end▁of▁sentence｜>",
    "Gemma": "\\boxed{@}<end_of_turn>\n<eos>",
    "a turn of another": "\\boxed{@}\n\nHuman: And now \\boxed{99}?",
}
ANSWERS = [
    ("7", "7"),
    ("-7", "-7"),
    (r"\frac{1}{2}", r"\frac{1}{2}"),
    ("0.5", "0.5"),
    (r"\sqrt{3} - 1", r"\sqrt{3}-1"),
    ("(1, 2]", "(1, 2]"),
    ("x^2 + 2x", "x^{2}+2x"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("reference", "answer"), ANSWERS)
def test_an_answer_in_any_layout(layout, reference, answer):
    completion = LAYOUTS[layout].replace("@", answer)
    assert MathVerifier().verify(reference, completion).value == 1.0
    for other in ("8", "7, 8", r"\frac{1}{3}", "99"):
        assert MathVerifier().verify(other, completion).value == 0.0


@pytest.mark.parametrize("value", [r"\frac{1}{2}", r"\\frac{1}{2}", "0.5"])
def test_json_with_and_without_doubled_backslashes(value):
    for field in ("answer", "final_answer", "Final Answer"):
        completion = f'Here:\n```json\n{{"reasoning": "3 of 6", "{field}": "{value}"}}\n```'
        assert MathVerifier().verify("1/2", completion).value == 1.0


def test_json_of_a_number_or_a_list():
    assert MathVerifier().verify("5", '{"answer": 5, "confidence": 0.9}').value == 1.0
    assert MathVerifier().verify("4, 5", '{"answer": ["4", "5"]}').value == 1.0
    assert MathVerifier().verify("5", '{"answer": [4, 5]}').value == 0.0


LAST = [
    (r"so \boxed{3}. Wait, \boxed{4}", "4"),
    (r"\boxed{3}, no, \boxed{4}", "4"),
    (r"\boxed{3}. Actually, it should be \boxed{4}.", "4"),
    (r"\boxed{3} - sorry, \boxed{4}", "4"),
    (r"so \boxed{12}. Wait, that is wrong. So \boxed{4}.", "4"),
    (r"\boxed{3} <answer>4</answer>", "4"),
    (r"<answer>3</answer> Hmm, so \boxed{4}", "4"),
    (r"\boxed{3}. Hmm, so the answer is 4.", "4"),
    ("Answer: 3\n\nThat was wrong.\n\nAnswer: 4", "4"),
    ("#### Step 1\nWe add.\n\n#### 4", "4"),
]


@pytest.mark.parametrize(("completion", "answer"), LAST)
def test_the_last_of_several_that_correct_each_other(completion, answer):
    assert MathVerifier().verify(answer, completion).value == 1.0
    assert MathVerifier().verify("3", completion).value == 0.0
    assert MathVerifier().verify("3, 4", completion).value == 0.0


PARTS = [
    (r"(a) \boxed{7} (b) \boxed{8}", "7, 8"),
    ("(a) We find \\boxed{7}.\n\n(b) Then, after " + "many words and " * 20 + "we get \\boxed{8}.", "7, 8"),
    ("1. \\boxed{7}\n2. \\boxed{8}", "7, 8"),
    ("- $x$: \\boxed{7}\n- $y$: \\boxed{8}", "x = 7, y = 8"),
    (r"\boxed{\frac12}, that is, \boxed{0.5}", r"\frac12"),
    ("<answer>7</answer>, <answer>8</answer>", "7, 8"),
]


@pytest.mark.parametrize(("completion", "answer"), PARTS)
def test_parts_are_parts(completion, answer):
    assert MathVerifier().verify(answer, completion).value == 1.0
    assert MathVerifier().verify("8", completion).value == 0.0


TOUCHED = [
    r"2\boxed{5}",
    r"$2 \boxed{5}$",
    r"$\frac{1}{2}\boxed{5}$",
    r"x\boxed{5}",
    r"0.\boxed{5}",
    r"\boxed{5}\pi",
    r"$\boxed{5}\sqrt{2}$",
    r"$\boxed{5} x$",
    r"\boxed{5}_6",
    r"\boxed{5}:6",
    r"\boxed{5} or 6",
    r"\boxed{5} \quad \text{or} \quad 6",
    r"6 or \boxed{5}",
    r"\boxed{5} and 6.",
    r"\boxed{5} to 7",
    r"less than \boxed{5}",
    r"between 4 and \boxed{5}",
    r"negative \boxed{5}",
    r"half of \boxed{5}",
    r"$x - \boxed{5}$",
    r"6 - \boxed{5}",
]


@pytest.mark.parametrize("completion", TOUCHED)
def test_what_touches_a_box_belongs_to_it(completion):
    verdict = MathVerifier().verify("5", completion)
    assert verdict.value == 0.0
    assert verdict.answer != "5"


def test_a_value_around_a_box_is_read_with_it():
    assert MathVerifier().verify(r"5\pi", r"so $\boxed{5}\pi$.").value == 1.0
    assert MathVerifier().verify("2", r"7 - \boxed{5}").value == 1.0


UNITS = [r"\boxed{5} cm", r"\boxed{5}\text{ cm}", r"$\boxed{5}\,\mathrm{cm}$.", r"\boxed{5} centimeters long"]


@pytest.mark.parametrize("completion", UNITS)
def test_a_unit_behind_a_box_is_read_with_it(completion):
    assert MathVerifier().verify("5", completion).value == 1.0
    assert MathVerifier().verify(r"5\text{ cm}", completion).value == 1.0
    assert MathVerifier().verify(r"5\text{ m}", completion).value == 0.0


@pytest.mark.parametrize("completion", [r"\boxed{5} in total", r"\boxed{5} a day", r"$\boxed{5}$s", r"\boxed{5} m, n"])
def test_a_word_that_may_be_none_is_no_unit(completion):
    assert MathVerifier().verify(r"5\text{ kg}", completion).value == 1.0


CANDIDATES = [
    r"\boxed{4}; \boxed{5}; \boxed{6}",
    "\\boxed{6}\n\\boxed{5}",
    r"\boxed{6}, or maybe \boxed{5}",
    r"either \boxed{6} or \boxed{5}",
    r"(A) \boxed{4} (B) \boxed{5}",
    "<answer>6</answer> <answer>5</answer>",
    "<answer>5 or 6</answer>",
    "Answer: 6\nAnswer: 5",
    "Answer: 5\nAnswer: 6",
    "The answer is 5 or 6",
    "The candidates are 4, 5 and 6.",
    '{"answer": [4, 5]}',
    "| Answer |\n|---|\n| 4 |\n| 5 |",
]


@pytest.mark.parametrize("completion", CANDIDATES)
def test_several_candidates_are_no_answer(completion):
    assert MathVerifier().verify("5", completion).value == 0.0


@pytest.mark.parametrize(
    "completion",
    ["<answer>- 7</answer>", "Answer: - 7", "Answer: -7", "**Answer: -7**", r"-\boxed{7}", r"**-\boxed{7}**"],
)
def test_a_minus_is_no_bullet(completion):
    assert MathVerifier().verify("-7", completion).value == 1.0
    assert MathVerifier().verify("7", completion).value == 0.0


THINKING = [
    r"<thinking>so \boxed{7}",
    r"[THINK]so \boxed{7}",
    r"◁think▷so \boxed{7}",
    r"<|begin_of_thought|>so \boxed{7}",
    r"<|channel|>analysis<|message|>so \boxed{7}",
    r"analysisSo \boxed{7}",
    r"<think>so <answer>7</answer>",
    r"</think>\boxed{8}<think>\boxed{7}",
]


@pytest.mark.parametrize("completion", THINKING)
def test_a_thought_that_never_ends_has_no_answer(completion):
    assert MathVerifier().verify("7", completion).reason is Reason.NO_ANSWER


def test_extraction_takes_linear_time():
    """Twice the text takes no more than some times the time, whatever it repeats; far from quadratic."""
    script = """
import json, sys, time
from hero_rl.verifiers.math.text.extraction import extract_answer

def seconds(text):
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        extract_answer(text)
        best = min(best, time.process_time() - start)
    return best

pieces = json.load(sys.stdin)
print(json.dumps({piece: [seconds(piece * (size // len(piece))) for size in (2_000, 16_000)] for piece in pieces}))
"""
    pieces = [
        *(
            r"\boxed{5}, ",
            r"\boxed{",
            "<answer>",
            "<answer></answer>",
            "<answer>5</answer> ",
            "<|begin_of_box|>",
            "**a ",
            "*",
        ),
        *(
            "`",
            "``` \n",
            "> ",
            "- ",
            "| a ",
            "|",
            '{"answer": ',
            '"answer": "',
            "_a ",
            "<",
            "<a>",
            "# Answer\n",
            "答案是",
        ),
        *(
            "Answer:\n",
            "Answer: 5\n",
            "(a) \\boxed{5} (b) ",
            "the answer is ",
            "####",
            "$",
            "\\[",
            ". ",
            "= ",
            "9,",
            "\n",
        ),
        *(" ", "\t ", "a", "ans.", "is ", "\\text{", "or ", "Let me know. ", "my ", "answer \\boxed{answer} "),
    ]
    done = subprocess.run([sys.executable, "-c", script], input=json.dumps(pieces), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    slow = {piece: (one, other) for piece, (one, other) in json.loads(done.stdout).items() if other > 0.1}
    assert not slow


def test_the_layouts_of_public_models(shared):
    """Right answers of public graders stay right in every layout, and no wrong one becomes right."""
    rows = [json.loads(line) for line in (shared / "data" / "graders_dev.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "answer" in row and not row.get("ambiguous") and "\\boxed" not in row["answer"]]
    verifier = MathVerifier()
    boxed = [verifier.verify(row["gold"], f"So \\boxed{{{row['answer']}}}.").value == 1 for row in rows]
    right = [row for row, accepted in zip(rows, boxed, strict=True) if row["label"] == 1 and accepted]
    wrong = [row for row, accepted in zip(rows, boxed, strict=True) if row["label"] == 0 and not accepted]
    for name, layout in LAYOUTS.items():
        kept = [verifier.verify(row["gold"], layout.replace("@", row["answer"])).value == 1 for row in right]
        assert sum(kept) >= 0.99 * len(right), name
        taken = [row for row in wrong if verifier.verify(row["gold"], layout.replace("@", row["answer"])).value == 1]
        assert not taken, (name, taken)
