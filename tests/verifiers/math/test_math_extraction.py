"""Where the maths verifier finds the final answer of a completion."""

import pytest

from hero_rl.verifiers import MathVerifier, Reason, verify_math
from hero_rl.verifiers.math.text.thinking import thinks_to_the_end

BOXES = [
    (r"\boxed{5}", "5"),
    (r"\boxed{5} then \boxed{6}.", "6"),
    (r"First \boxed{5}. I made an error. So it is \boxed{6}.", "6"),
    (r"$x = \boxed{7}$", "7"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{\frac{\sqrt{3}}{\frac{1}{2}}}", r"\frac{\sqrt{3}}{\frac{1}{2}}"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{\left\{ x \mid x > 2 \right\}}", r"\left\{ x \mid x > 2 \right\}"),
    (r"\boxed{\boxed{5}}", r"\boxed{5}"),
    (r"\boxed {5}", "5"),
    (r"\boxed 5", "5"),
    (r"\fbox{5}", "5"),
    (r"\boxed{5} so \fbox{6}", "6"),
    (r"\\boxed{5}", "5"),
    ("\\boxed{\n5\n}", "5"),
    (r"The number 8 is bad. \boxed{5} and 9 is worse.", "5"),
    # A box that does not close is no box; the one before it still is.
    (r"\boxed{5} and then \boxed{6", "5"),
]


@pytest.mark.parametrize(("completion", "answer"), BOXES)
def test_the_last_box_is_the_answer(completion, answer):
    assert MathVerifier().extract(completion) == answer


LISTS = [
    (r"\boxed{1} and \boxed{2}", "1, 2"),
    (r"\boxed{1}, \boxed{2}, \boxed{3}", "1, 2, 3"),
    (r"$\boxed{1}$ and $\boxed{2}$", "1, 2"),
    (r"\boxed{1} or \boxed{2}", "1 or 2"),
    (r"\boxed{5}, \boxed{5}", "5"),
    (r"$x = \boxed{1}$ and $y = \boxed{2}$", "x = 1, y = 2"),
    (r"\boxed{1} boys and \boxed{2} girls", "1, 2"),
]


@pytest.mark.parametrize(("completion", "answer"), LISTS)
def test_boxes_that_follow_each_other_are_one_list(completion, answer):
    assert MathVerifier().extract(completion) == answer


def test_a_candidate_that_its_own_line_takes_back_is_none():
    for taken_back in ("5 hmm", "5, hold on", "5, wait"):
        assert MathVerifier().extract(f"Answer: 3\nAnswer: {taken_back}\nAnswer: 7") == "7"


def test_an_apology_at_the_end_of_a_text_that_was_cut_off_weighs_no_answer():
    assert not thinks_to_the_end(r"So it is \boxed{5}. Sorry for the long")
    assert thinks_to_the_end(r"So it is \boxed{5}. Hold on, let")


JOINED = [
    ("\\boxed{1} and\n\n\\boxed{2}", "1, 2"),
    ("\\[\\boxed{x = 1}\\]\nand\n\\[\\boxed{x = 2}\\]", "x = 1, x = 2"),
    ("$$\\boxed{1}$$\n\nor\n\n$$\\boxed{2}$$", "1 or 2"),
]


@pytest.mark.parametrize(("completion", "answer"), JOINED)
def test_boxes_in_displays_with_a_word_between_them_are_joined_by_it(completion, answer):
    assert MathVerifier().verify("1", completion).answer == answer


APART = [
    r"\boxed{1}. \boxed{2}",
    r"\boxed{1} is what I thought first, but it is wrong and so I take \boxed{2}",
    r"\boxed{1} no, wait: \boxed{2}",
    r"\boxed{1} + 1 = 2, which we square, and after that we halve, and get \boxed{2}",
]


@pytest.mark.parametrize("completion", APART)
def test_boxes_apart_are_no_list(completion):
    assert MathVerifier().verify("2", completion).value == 1.0
    assert MathVerifier().verify("1, 2", completion).value == 0.0
    assert MathVerifier().verify("1", completion).value == 0.0


THINKING = [
    (r"<think>\boxed{7}</think> The answer is 9.", "9"),
    (r"<think>\boxed{7}</think> \boxed{9}", "9"),
    (r"\boxed{7}</think> \boxed{9}", "9"),
    (r"<think>\boxed{7}</think>", None),
    (r"<think>\boxed{7}</think> I do not know", None),
    (r"<think>\boxed{7}", None),
    (r"<think>a</think> \boxed{5} <think> \boxed{7}", None),
    (r"\boxed{7}</think>", None),
    (r"<think>\boxed{5}</think> \boxed{6}</think> \boxed{7}", "7"),
]


@pytest.mark.parametrize(("completion", "answer"), THINKING)
def test_thinking_states_no_answer(completion, answer):
    assert MathVerifier().extract(completion) == answer


STATED = [
    ("The answer is 5.", "5"),
    ("The answer is 5. It is small.", "5"),
    ("So the answer is $5$.", "$5$"),
    (r"The answer is \(5\).", r"\(5\)"),
    ("the answer is: 5", "5"),
    ("Answer: 5", "5"),
    ("**Answer:** 5", "5"),
    ("**Answer: 5**", "5"),
    ("Answer: 3.14.", "3.14"),
    ("The final answer is $\\frac{1}{2}$", r"$\frac{1}{2}$"),
    ("The final answer is $5$. I hope it is correct.", "$5$"),
    ("It is 12 + 60 = 72.\n#### 72", "72"),
    ("#### 71, no:\n#### 72 ", "72"),
    ("The answer is 5. No, the answer is 6.", "6"),
    ("We try 1, 2 and 3.\nThe answer is x = 2.", "x = 2"),
]


@pytest.mark.parametrize(("completion", "answer"), STATED)
def test_a_stated_answer(completion, answer):
    assert MathVerifier().extract(completion) == answer


ANNOUNCED = [
    (r"\boxed{5}, therefore the final answer is $6$.", "6"),
    (r"\boxed{5}. Final answer: 6", "6"),
    (r"**Final answer**: 6 and \boxed{5}", "5"),
    (r"Final answer: \boxed{5}", "5"),
    (r"\boxed{5}. The answer is nice.", "5"),
]


@pytest.mark.parametrize(("completion", "answer"), ANNOUNCED)
def test_a_final_answer_announced_after_the_last_box_overrides_it(completion, answer):
    assert MathVerifier().verify(answer, completion).value == 1.0
    assert MathVerifier().verify("6" if answer == "5" else "5", completion).value == 0.0


CLOSING = [
    ("We add both. Hence the total is $12$.", "12"),
    ("We add 5 and 7.\n\nThe total is 12.", "12"),
    ("We find\n$$x = 3$$", "x = 3"),
    (r"We find \[x = 3\]", "x = 3"),
    ("5", "5"),
    (r"\frac{1}{2}", r"\frac{1}{2}"),
    ("$5$", "$5$"),
]


@pytest.mark.parametrize(("completion", "answer"), CLOSING)
def test_the_value_of_the_last_sentence(completion, answer):
    found = MathVerifier().extract(completion)
    assert found is not None
    assert found.strip("$ ") == answer.strip("$ ")


NOTHING = [
    "",
    " \n",
    "I do not know how to solve this one at all.",
    "We add 5 and 7. Then we think about it for a while and stop.",
    "The total of 5 and 7 and 9 is something that nobody knows yet.",
    r"so (2 \cdot 3 \cdot 4)) + (5",
]


@pytest.mark.parametrize("completion", NOTHING)
def test_prose_without_a_value_states_no_answer(completion):
    for reference in ("4", "5", "7", "9", "12"):
        assert MathVerifier().verify(reference, completion).value == 0.0


@pytest.mark.parametrize("completion", ["", " \n", r"\boxed{ }", r"\boxed{}", r"\boxed{\ }", r"\boxed{$$}"])
def test_an_empty_answer_is_no_answer(completion):
    assert MathVerifier().verify("5", completion).reason is Reason.NO_ANSWER


@pytest.mark.parametrize(
    "token",
    [
        *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<eos>", "<end_of_turn>", "<turn|>"),
        *("<|return|>", "[EOS]", "[PAD]", "<EOS>", "<pad>", "[|endofturn|]"),
        *("<|end of sentence|>", "<｜end▁of▁sentence｜>", "<｜end of sentence｜>"),
    ],
)
def test_nothing_counts_after_the_end_of_the_turn(token):
    assert MathVerifier().extract(rf"\boxed{{5}}{token}") == "5"
    assert MathVerifier().extract(rf"\boxed{{5}}{token} \boxed{{6}}") == "5"
    assert MathVerifier().extract(f"The answer is 5.{token}") == "5"
    assert MathVerifier().extract(f"The answer is 5{token}") == "5"
    assert MathVerifier().extract(f"5{token * 3}") == "5"


@pytest.mark.parametrize("token", ["<s>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>"])
def test_the_token_that_begins_a_text_ends_none(token):
    assert MathVerifier().extract(f"{token}The answer is 5.") == "5"


NEXT_PROBLEMS = [
    "\n\nProblem: What is 2 + 2?\nSolution: \\boxed{4}",
    "\n\nQ: What is 2 + 2?\nA: The answer is 4.",
    "\nQuestion 2:\nWhat is 2 + 2?\n#### 4",
    "\n\n### Instruction:\nAdd 2 and 2.\n\n### Response:\n\\boxed{4}",
    "\n**Problem:** 2 + 2\n**Answer:** 4",
    "\nuser\nWhat is 2 + 2?\nassistant\n\\boxed{4}",
    "\n题目：2+2\n答案：\\boxed{4}",
]


@pytest.mark.parametrize("behind", NEXT_PROBLEMS)
@pytest.mark.parametrize("stated", [r"So it is \boxed{9}.", "The answer is 9.", "3 x 3 = 9\n#### 9"])
def test_nothing_counts_that_answers_a_problem_of_the_model_s_own(stated, behind):
    assert MathVerifier().verify("9", stated + behind).value == 1.0
    assert MathVerifier().verify("4", stated + behind).value == 0.0


def test_a_problem_that_is_said_again_is_no_next_one():
    for completion in (
        "Problem: What is 3 x 3? Give the answer in \\boxed{}.\nSolution: \\boxed{9}",
        "Put the answer in \\boxed{}.\n\nQuestion: What is 3 x 3?\nIt is \\boxed{9}",
        "The answer is not plain.\n\nProblem:\nWhat is 3 x 3?\nIt is \\boxed{9}",
        "Question 1: What is 2 + 2?\nIt is \\boxed{4}\nQuestion 2: What is 3 x 3?\nIt is \\boxed{9}",
        "**Part 1**\n\\boxed{4}\n\n**Question 2**: What is 3 x 3? \\boxed{9}",
        "1. The first answer is 4.\n\nQuestion 2\nWhat is 3 x 3?\nThe answer is 9.",
        "First: \\boxed{4}.\n\nProblem: that leaves out a row.\n\nSecond: \\boxed{9}.",
        "The answer is 4.\n\nProblem: that ignores the sign. The answer is 9.",
        "We need the answer: a whole number.\n\nProblem: What is 3 x 3?\nSolution: \\boxed{9}",
        "Those who count:\nuser\nguest\n\nThere are \\boxed{9}",
    ):
        assert MathVerifier().verify("9", completion).value == 1.0


def test_brackets_are_no_end_of_a_turn():
    assert MathVerifier().extract(r"The answer is [EO].") == "[EO]"


def test_only_the_end_of_a_long_text_is_read():
    padding = "Let me think about it. " * 5_000
    assert MathVerifier().extract(padding + r"\boxed{5}") == "5"
    assert MathVerifier().extract(r"\boxed{5} " + padding) is None
    assert MathVerifier().extract(padding + r"\boxed{" + "5" * 100_000 + "}") != "5"


def test_an_answer_over_the_cap_is_wrong_and_bounded():
    verifier = MathVerifier(max_characters=10)
    assert verifier.verify("5", r"\boxed{5" + " " * 5 + "}").value == 1.0
    assert verifier.verify("5", r"\boxed{" + "5+0" * 10 + "}").reason is Reason.ANSWER_TOO_LONG
    assert verifier.verify("12345678901", r"\boxed{12345678901}").reason is Reason.MATCHED_EXACTLY
    assert MathVerifier().verify("1", r"\boxed{" + "0+" * 2_000 + "1}").value == 0.0


@pytest.mark.parametrize("sign", [r"\%", "%", r"$\%", " percent", r"\)\%"])
def test_a_percent_sign_outside_of_the_box_counts(sign):
    opening = {"$": "$", "\\": r"\(" if sign.startswith(r"\)") else ""}.get(sign[0], "")
    completion = rf"It is {opening}\boxed{{50}}{sign}."
    assert MathVerifier().verify(r"50\%", completion).value == 1.0
    assert MathVerifier().verify("0.5", completion).value == 1.0
    assert MathVerifier().verify(r"\frac{50}{1}", completion).value == 0.0


def test_a_degree_sign_outside_of_the_box_counts():
    assert MathVerifier().verify(r"60^\circ", r"\boxed{60}^\circ").value == 1.0
    assert MathVerifier().verify(r"\frac{\pi}{3}", r"\boxed{60}^\circ").value == 1.0


SOLUTIONS = [
    (r"Since $2 + 2 = 4$, we have $x = \boxed{4}$.", "4"),
    ("Let us see. " * 30 + r"So there are $\boxed{4}$ of them.", "4"),
    ("We add 1 and 3 and check that it is even. " * 10 + "The answer is 4.", "4"),
    (r"So \boxed{1} and \boxed{3}", "1, 3"),
    (r"$\boxed{4}$", "4"),
    (r"x = \boxed{4}", "4"),
]


@pytest.mark.parametrize(("reference", "answer"), SOLUTIONS)
def test_a_reference_may_be_a_whole_solution(reference, answer):
    assert MathVerifier().judge(reference, answer).value == 1.0
    assert MathVerifier().judge(reference, "2").value == 0.0
    assert MathVerifier().judge(reference, "5").value == 0.0


@pytest.mark.parametrize("reference", ["", " \n", "$$", r"\boxed{}", r"\boxed{ }"])
def test_an_empty_reference_is_an_abstention(reference):
    for answer in (None, "", "5", reference):
        verdict = MathVerifier().judge(reference, answer)
        assert verdict.reason is Reason.REFERENCE_UNREADABLE
        assert verdict.abstained
    assert MathVerifier().verify(reference, r"\boxed{}").abstained


def test_the_answer_is_reported_as_written():
    verdict = MathVerifier().verify("5", r"It is \boxed{ \frac{10}{2} }.")
    assert verdict.answer == r"\frac{10}{2}"
    assert verdict.seconds > 0
    assert MathVerifier().verify("5", "I have no idea at all.").answer is None


@pytest.mark.parametrize(
    ("reference", "completion"),
    [
        ("5", "Thus the requested value is **> 5**."),
        ("60", "Thus the requested value is **60'**."),
        ("(1,2,3)", "Thus the solutions are **(1,2,3) and its cyclic permutations**."),
        ("3", "Thus the requested vector is **3\\hat{i}**."),
        ("12", "Thus the requested time is **12 noon**."),
        ("AB = 3", "Thus the requested value is **AC = 3**."),
        ("a_5 = 11", "Thus the requested value is **a_6 = 11**."),
        ("25 dollars per hour", "Thus the requested value is **25 dollars per day**."),
    ],
)
def test_a_closing_sentence_keeps_what_changes_its_value(reference, completion):
    assert verify_math(reference, completion) is False
    assert verify_math(reference, f"Thus the requested value is **${reference}$**.") is True


def test_json_escapes_a_character():
    assert verify_math("5", '{"answer": "\\uff15"}') is True


IN_CHINESE = [
    ("C", "综上所述，故选C。"),
    ("C", "因此选择 **C**"),
    ("36", "答：一共有36个。"),
    ("36", "所以面积为 $36$ 平方厘米。"),
    ("36", "结果不是63，而是36。"),
    ("36", "所以结果是**36**个。"),
    ("3", "所以x = 3。"),
    (r"x \ge 3", "所以x的取值范围是x≥3。"),
    ("y=x+36", "所以函数为 y=x+36"),
]
NOT_IN_CHINESE = [
    ("C", "因此不选C。"),
    ("C", "所以应排除选项C。"),
    ("36", "答案不是36。"),
    ("36", "所以面积不是36平方厘米。"),
    ("36", "所以面积大于36。"),
    ("36", "所以面积的一半是36。"),
    ("36", "结果可能是36。"),
    ("36", "所以答案是36或63。"),
    ("36", "所以它的三分之一是36。"),
    ("36", "所以 a>36"),
    ("36", "所以函数为 y=x+36"),
    ("30", "所以结果是sin30"),
    ("23", "所以结果是2**3"),
    ("C", "没有人选C。"),
]


@pytest.mark.parametrize(("reference", "completion"), IN_CHINESE)
def test_a_closing_sentence_in_chinese(reference, completion):
    assert verify_math(reference, completion) is True


@pytest.mark.parametrize(("reference", "completion"), NOT_IN_CHINESE)
def test_a_closing_sentence_in_chinese_that_takes_it_back(reference, completion):
    assert verify_math(reference, completion) is False


SENTENCES = [
    ("3:45 p.m.", "The train arrives at **3:45 PM**."),
    ("3:45 p.m.", "They meet at 3:45 p.m."),
    ("3:5", "So the sides are in the ratio 3:5."),
    (r"6\sqrt{2}", r"Thus, **$6\sqrt2$**."),
    ("2x", "So we get $2x$."),
    (r"20\% \text{ increase}", "Therefore it is a **20% increase**."),
    (r"\text{loss of } \$50", "In the end there was a loss of $50."),
    ("21", "Half of 42 is 21."),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "Hence\n$$\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}$$"),
    ("4", "So\n$$\\begin{aligned}x &= 2+2\\\\ &= 4\\end{aligned}$$"),
    ("2", "So\n$$\\begin{aligned}3x+2 &= 8\\\\3x &= 6\\\\ x &= 2\\end{aligned}$$"),
    ("x = 1, y = 2", "So\n$$\\begin{cases} x=1 \\\\ y=2 \\end{cases}$$"),
    ("x = 1, y = 2", "**Final Answer:**\n- $x = 1$\n- $y = 2$"),
    ("12", "**Final Answer:**\n- **12**\n- Verified by substitution"),
    ("4", "**Final Answer:**\n- x = 4\n- Domain: all reals"),
    ("8", "So\n$$\\begin{aligned}a&=3 \\\\ b&=5 \\\\ c&=8\\end{aligned}$$"),
    ("x = 1, y = 2", "So\n$$\\begin{aligned}x&=1 \\\\ y&=2\\end{aligned}$$"),
    ("f(x) = x^2 + 3", "So\n$$\\begin{aligned}f(x) &= x^2 \\\\ &\\quad + 3\\end{aligned}$$"),
    ("[0,1]", "So\n$$\\begin{aligned}x &\\in S \\\\ [0,1]\\end{aligned}$$"),
    ("2", "3x = 6\nx = 2"),
    ("x = 1, y = 2", "- x = 1\n- y = 2"),
    ("even", "So the function is **even**."),
    ("4", "The answer is 4 because 2+2=4."),
    ("4", "The answer is $4$, since 2+2=4."),
    ("4", "We get 4."),
    ("4", "Therefore, she needs 4 more apples."),
    ("4", "So the bell rings 4 times."),
    ("-4", "So the temperature is −4°C."),
    ("4.5", "So the average is 4.5 points."),
    ("Yes", "**Yes**, it converges."),
    ("5", "Yes, there are 5."),
    ("Yes", "Yes, because the series is dominated by a geometric one."),
    ("False", "**False.** The function is not continuous."),
    ("True", "So the statement is true."),
    ("B", "Therefore, option B is correct."),
    ("B", "So the correct choice is B: 12."),
    ("3", "Hence the required number is three."),
    ("3", "So Tom made 3 mistakes."),
    ("3", "So 3 items were rejected."),
    ("45", "So the cost excluding tax is 45 dollars."),
    ("3", "Therefore, Sam might need 3 buckets."),
    ("-x", "Therefore the derivative is -x."),
    ("3", r"We conclude that $x=3$. $\blacksquare$"),
]
OTHER_SENTENCES = [
    ("3:45 p.m.", "The train arrives at **3:45 AM**."),
    ("42", "So half the area is 42."),
    ("42", "Thus we find that half the area is 42."),
    ("42", "Three times the number is 42."),
    ("3", "So\n$$\\begin{aligned}f(x) &= x^2 \\\\ &\\quad + 3\\end{aligned}$$"),
    ("3", "So\n$$\\begin{aligned}a&=3 \\\\ b&=5 \\\\ c&=8\\end{aligned}$$"),
    ("3.5", "They say the answer is 3.5. I disagree."),
    ("4", "Hence\n$$\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}$$"),
    ("even", "So the function is not **even**."),
    ("even", "It is hard to say that it is **even**."),
    ("4", "So the temperature is −4°C."),
    ("4", "Therefore, she has 4 more apples than Bob."),
    ("4", "So it is 4 times as large."),
    ("4", "The answer is 5 because 4 is even."),
    ("Yes", "Yes, but only if n is even."),
    ("B", "It is not true that option B is correct."),
    ("Yes", "No, because it diverges."),
    ("True", "The statement is not true."),
    ("B", "Therefore, option B is not correct."),
    ("B", "Either option A or option B is correct."),
    ("B", "It is unclear whether option B is correct."),
    ("B", "If x is even, option B is correct."),
    ("B", "Bob claims option B is correct."),
    ("3", "So we must reject 3."),
    ("3", "The answer might be 3."),
    ("2", "So the domain is all real numbers excluding 2."),
    ("B", "So the correct choice is B or C."),
    ("x = 1", "**Final Answer:**\n- $x = 1$\n- $y = 2$"),
    ("42", "Therefore twice the number is **42**."),
    (r"20\% \text{ increase}", "Therefore it is a **20% loss**."),
    (r"20\% \text{ increase}", "In the end there was a decrease of 20%."),
    (r"\text{loss of } \$50", "In the end there was a profit of $50."),
]


SENTENCES += [
    ("9", "The largest value is 9, attained when t = 4."),
    ("9", "The answer is $9$, reached at $t=4$."),
    ("9", "So the largest area is $9$ for $t = 4$."),
    ("No", "No."),
    ("No", "Therefore, the answer is no."),
    ("1, 5", "The solutions are t = 1 and t = 5."),
    ("1, 5", "So the roots are t = 1, and t = 5."),
    ("x = 1, y = 5", "We find x = 1 and y = 5."),
    ("1, 5", "Answer:\n1. $t = 1$\n2. $t = 5$"),
    ("1, 5", "Answer:\n- 1\n- 5"),
    # What is asked for may stand where a condition may, too.
    ("2", "The function $f(x)=x^2-4x$ is smallest when $x=2$."),
    ("2", "Hence the maximum of $-x^2+4x$ occurs at $x=2$."),
    ("x > 2", "Therefore $f$ is increasing for $x > 2$."),
    ("k = 2", "The system has 1 solution when k = 2."),
    ("2", "Hence the ball reaches 10 m when t = 2."),
    ("15", "The width is 5 and the length is 15."),
    ("5", "First, we find x = 5."),
    ("5", "Note: the total is 5."),
    ("5", "It may be shown that the sum is 5."),
]
OTHER_SENTENCES += [
    ("4", "The largest value is 9, attained when t = 4."),
    ("4", "The answer is $9$, reached at $t=4$."),
    ("9", "The answer is 9 only when t = 4."),
    ("9", "The answer is 9 if t > 4."),
    ("9", "We get 9 when t = 4 and 6 when t = 3."),
    ("Yes", "No."),
    ("5", "The solutions are t = 1 and t = 5."),
    ("1", "The solutions are t = 1 or t = 5."),
    ("1", "Answer:\n1. $t = 1$\n2. $t = 5$"),
    ("5", "Next we subtract 5."),
    ("5", "So there are 5 cases to check."),
    ("5", "We are given that t = 5."),
    ("5", "For example, take t = 5."),
    ("5", "It is odd. Let t = 5."),
    ("5", "The answer may be 5."),
    ("5", "The answer is unlikely to be 5."),
    ("5", "Therefore 5 percent of them are red."),
]


@pytest.mark.parametrize(("reference", "completion"), SENTENCES)
def test_what_a_closing_sentence_states(reference, completion):
    assert verify_math(reference, completion) is True


@pytest.mark.parametrize(("reference", "completion"), OTHER_SENTENCES)
def test_what_a_closing_sentence_does_not_state(reference, completion):
    assert verify_math(reference, completion) is False


# A value with a remark behind it, a calculation in words, a choice in a sentence.
REMARKS = [
    ("43", "Answer: 43. Note that a common mistake is 42."),
    ("43", "Answer: 43 apples. He started with 50."),
    ("43", "#### 43. The first part was 42."),
    ("43", "**Final Answer: 43**. The number before it is 42."),
    ("43", "<answer>43. The first part is 42.</answer>"),
    ("43", "Answer: $43. He paid $50."),
    ("43", "Answer: $43$. Since $6 \\cdot 7 = 42$, we add one."),
    ("43", "Answer: 43 because 42 + 1 = 43."),
    ("B", "Answer: B. Option C ignores friction."),
    ("64", "So she pays $40 + $24 = $64 for the glasses."),
    ("64", "He makes $8 * 8 = $64 every day."),
    ("48", "So they weigh 60g * 4/5 = 240g/5 = 48 grams."),
    ("70", "All of them took 30 + 40 = 70 hours altogether to finish it."),
    ("42", "So it's 42."),
    ("42", "∴ 42"),
    ("B", "The answer is option B."),
    ("Vitamin A", r"\boxed{\text{vitamin A}}"),
    ("m+n = 35", "So the sum m+n = 35."),
    ("81", "The area of the square is s^2 = 81."),
    ("300", "The total cost is 20x15 = 300."),
    ("50", "So the force F = m*a = 50 N."),
    ("9", "A hexagon has n(n-3)/2 = 9 diagonals."),
    ("42", "So v = 42 miles per hour."),
    ("42", "The area is A = 42 square units."),
    ("42", "So the total is 42, and we are done."),
    ("42", "The minimum is 42, which occurs at the origin."),
    ("42", "If we add these up we get 42."),
    ("43", "He has 42 because 6 * 7 = 42, so with one more the total is 43."),
    ("43", "Answer: 42. Adding one to that gives 43."),
]
OTHER_REMARKS = [
    ("42", "Answer: 43. Note that a common mistake is 42."),
    ("42", "#### 43. The first part was 42."),
    ("43", "Answer: 43. Wait, that is wrong. It must be 44."),
    ("1", "Answer: 1. Add both sides. 2. Divide by two."),
    # An equation is not its right side.
    ("42", "Simplifying, we obtain the equation 2x = 42."),
    ("42", "Then 3 + x = 42."),
    ("42", "This simplifies to x^2 = 42."),
    ("42", "The condition that is left is log x = 42."),
    ("8", "It gives 3x + 2 = 8 for all of these cases."),
    # A sentence that breaks off, or goes on.
    ("42", "There are 42 pairs, of which"),
    ("42", "So the answer is 42 or"),
    ("42", "Answer: 42. But we must add 1, so 43."),
    ("42", "Answer: 42. On second thought, 43."),
    ("B", "The answer is option B, no wait, C."),
    ("5", "So she has 2 + 3 = 5 dozen eggs in total."),
    ("42", "Adding these, we get 42 and then we subtract the"),
    ("42", "Then we multiply both sides by 42."),
    ("42", "The answer depends on 42 of them."),
    # Second thoughts.
    ("42", "The answer is \\boxed{42}.\n\nWait, I forgot to add 1. So it's 43."),
    ("42", "The answer is 42.\n\nHmm, that's not correct. The sum should be 43."),
    ("42", r"So it is \boxed{42}. Hold on, no."),
    ("42", r"I think \boxed{42} hmm, no, let me see."),
    # A box that the text denies.
    ("42", r"The incorrect answer is \boxed{42}."),
    ("42", r"Many students answer \boxed{42}."),
    ("42", r"It is tempting to answer \boxed{42}."),
    ("42", r"I'm not sure whether it's \boxed{42}."),
    ("42", r"\boxed{42} doesn't work."),
    ("42", r"\boxed{42} is excluded."),
    ("Vitamin", r"\boxed{\text{Vitamin A}}"),
]


@pytest.mark.parametrize(("reference", "completion"), REMARKS)
def test_a_value_and_what_is_said_of_it(reference, completion):
    assert verify_math(reference, completion) is True


@pytest.mark.parametrize(("reference", "completion"), OTHER_REMARKS)
def test_what_is_said_beside_a_value_is_no_answer(reference, completion):
    assert verify_math(reference, completion) is False


@pytest.mark.parametrize(
    "completion",
    [
        "The answer is \\boxed{42}.\n\nWait, let me check: 6*7 = 42. Yes.",
        "The answer is 42.\n\nLet me verify: 40 + 2 = 42, which matches.",
        "In simplest form, \\boxed{42}.",
        "Since it's even, \\boxed{42} works.",
        "How many students answered? \\boxed{42}.",
        "Each wrong answer costs 1 point, so the score is \\boxed{42}.",
        "The minimum is \\boxed{42}, which cannot be improved.",
        "The final answer is \\boxed{42}.\n\nHmm, to double-check: the eggs should be 16.",
        "Many such numbers exist; for example, \\boxed{42}.",
    ],
)
def test_a_check_is_no_second_thought(completion):
    assert verify_math("42", completion) is True
