"""What the maths verifier takes for equal and what it does not, rule by rule: (reference, answer)."""

import pytest
from pydantic import TypeAdapter, ValidationError

from hero_rl.verifiers import AnyVerifier, MathVerifier, Reason, verify_math

ACCEPTED = {
    "symbols of units": [
        ("2.5 nm", r"2.5\ \text{nm}"),
        ("2.5 nm", r"\lambda = 2.50 \text{ nm}"),
        ("2.5 nm", "2.5"),
        (r"2.5\ \mathrm{~kPa}", "2.5 kPa"),
        ("5 MeV", r"5\,\text{MeV}"),
        ("2 A", r"2\ \text{A}"),
        ("300 K", r"T = 300\,\text{K}"),
        (r"22.4\ \text{L}", "22.4 L"),
        (r"\frac{1}{2} mV", r"\frac{mV}{2}"),
    ],
    "where an index begins": [
        (r"2^k, k \ge 1", r"2^k, k \ge 1"),
        (r"2^k, k \ge 1", "2^k"),
        (r"2k\pi, k \in \mathbb{Z}", r"2n\pi, n \in \mathbb{Z}"),
    ],
    "integers": [
        ("5", "5"),
        ("5", " 5 "),
        ("5", "+5"),
        ("-5", "- 5"),
        ("-5", "−5"),
        ("5", "5."),
        ("5", "05"),
        ("5", "$5$"),
        ("5", r"\(5\)"),
        ("5", "{5}"),
        ("5", r"\text{5}"),
        ("0", "-0"),
        ("123456789012345678", "123456789012345678.0"),
    ],
    "thousands": [
        ("1000", "1,000"),
        ("1,000", "1000"),
        ("7425000", "7,425,000"),
        ("10000", r"10{,}000"),
        ("10000", r"10\,000"),
        ("10000", r"10,\!000"),
        ("1000000", "1 000 000"),
        ("1234.5", "1,234.5"),
        ("-1,000", "-1000"),
    ],
    "decimals": [
        ("0.5", ".5"),
        ("0.5", "0.50"),
        ("2", "2.0"),
        ("-0.25", r"-\frac{1}{4}"),
        ("1.25", r"\frac54"),
        ("0.125", "1/8"),
        ("0.001", "10^{-3}"),
        ("3.14", "3,14"),
    ],
    "repeating": [
        (r"\frac{1}{3}", r"0.\overline{3}"),
        (r"\frac{1}{6}", r"0.1\overline{6}"),
        (r"\frac{4}{33}", r"0.\overline{12}"),
        ("1", r"0.\overline{9}"),
        (r"\frac{7}{3}", r"2.\bar{3}"),
    ],
    "fractions": [
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{1}{2}", r"\dfrac{1}{2}"),
        (r"\frac{1}{2}", r"\tfrac12"),
        (r"\frac{1}{2}", r"\frac{2}{4}"),
        (r"\frac{-1}{2}", r"-\frac{1}{2}"),
        (r"\frac{1}{-2}", r"-\frac{1}{2}"),
        (r"\frac{-3}{-4}", r"\frac{3}{4}"),
        (r"\frac{14}{3}", r"\frac{42}{9}"),
        (r"\frac{1}{2}", "½"),
        (r"\frac{6}{3}", "2"),
        (r"\frac{\frac{1}{2}}{3}", r"\frac{1}{6}"),
    ],
    "mixed numbers": [
        (r"\frac{11}{2}", r"5\frac{1}{2}"),
        (r"5\frac{1}{2}", "5.5"),
        (r"5\frac{1}{2}", "5 1/2"),
        (r"-1\frac{3}{4}", r"-\frac{7}{4}"),
    ],
    "scientific": [
        (r"1.6\times 10^{-19}", r"1.6 \cdot 10^{-19}"),
        (r"1.6\times 10^{-19}", "1.6e-19"),
        (r"2.5\times 10^{3}", "2500"),
        ("10^6", "1,000,000"),
        ("3e8", r"3\times10^8"),
    ],
    "ordinals": [("4", "4th"), ("21", r"21^{\text{st}}"), ("3", "3rd")],
    "money": [
        ("5", r"\$5"),
        (r"\$5", "5"),
        (r"\$5.00", "5"),
        (r"\$1,250", "1250"),
        ("12", "12 dollars"),
        (r"\$12", r"12\text{ dollars}"),
    ],
    "per cent": [
        (r"50\%", r"50\%"),
        (r"50\%", "50%"),
        (r"50\%", "50"),
        (r"50\%", "50 percent"),
        (r"50\%", r"\frac{1}{2}"),
        ("0.5", r"50\%"),
        (r"12.5\%", "0.125"),
        (r"\frac{1}{4}", r"25\%"),
    ],
    "units": [
        (r"5\text{ cm}", "5"),
        ("5", r"5\text{ cm}"),
        (r"5\text{ cm}", r"5\,\mathrm{cm}"),
        (r"5\text{ cm}", "5 centimeters"),
        (r"5 \text{ cm}^2", r"5 \text{ square centimeters}"),
        (r"12\sqrt{3}\text{ m}", r"12\sqrt{3}"),
        (r"10\text{ m/s}", r"10\text{ meters per second}"),
        ("12", "12 apples"),
        (r"8\text{ hours}", "8 h"),
        (r"\frac{1}{2}\text{ kg}", r"0.5\text{ kg}"),
    ],
    "angles": [
        (r"60^\circ", "60°"),
        (r"60^\circ", "60"),
        (r"60^\circ", r"60\text{ degrees}"),
        (r"60^{\circ}", r"60^\circ"),
        (r"60^\circ", r"\frac{\pi}{3}"),
        (r"\frac{\pi}{3}", r"60^\circ"),
        (r"\frac{\pi}{3}", r"\frac{\pi}{3}\text{ radians}"),
    ],
    "bases": [
        ("1112112_3", "1112112_3"),
        ("12_3", "12_{3}"),
        ("12", "12_3"),
        ("101_2", "0101_2"),
        (r"204_5", r"204_{5}"),
    ],
    "text": [
        (r"\text{Evelyn}", "Evelyn"),
        (r"\text{Evelyn}", r"\textbf{Evelyn}"),
        ("infinitely many", r"\text{infinitely many}"),
        ("Yes", "yes"),
        ("even", r"\text{Even}"),
        ("no solution", "No solution."),
        ("the circle", "circle"),
    ],
    "choices": [
        (r"\text{(A)}", "A"),
        (r"\text{(A)}", "(A)"),
        ("B", r"\text{B}"),
        ("B", r"\mathrm{B}"),
        ("(C)", r"\textbf{(C)}"),
    ],
    "tuples": [
        ("(1, 2)", r"\left(1, 2\right)"),
        ("(1, 2)", "(1,2)"),
        ("(1, 2)", r"\left(\frac{2}{2}, 2.0\right)"),
        (r"(3, \frac{\pi}{2})", r"(3,\pi/2)"),
        ("(1, 2, 3)", "1, 2, 3"),
        ("(x, y) = (1, 2)", "(1, 2)"),
        ("(1, 2)", "(x, y) = (1, 2)"),
    ],
    "lists": [
        ("1, 2, 3", "1,2,3"),
        ("1, 2, 3", "3, 1, 2"),
        ("1, 2", r"1 \text{ and } 2"),
        ("1, 2", r"1 \text{ or } 2"),
        ("1, 1, 2", "1, 2, 1"),
        (r"\sqrt{2}, -\sqrt{2}", r"-\sqrt{2}, \sqrt{2}"),
        ("(1,2), (3,4)", "(3,4), (1,2)"),
        ("(1,2), (3,4)", r"(1,2) \text{ and } (3,4)"),
        ("1, -1", r"\pm 1"),
    ],
    "sets": [
        (r"\{1, 2\}", r"\{2, 1\}"),
        (r"\{1, 2\}", "1, 2"),
        (r"\{1, 2\}", r"\{1, 1, 2\}"),
        (r"\{1, 2\}", r"\left\{ \frac{2}{2}, 2 \right\}"),
        (r"\emptyset", r"\varnothing"),
        (r"\emptyset", r"\{\}"),
    ],
    "labelled": [
        ("x=3", "3"),
        ("3", "x=3"),
        ("x = 3", "x=3"),
        ("x = 1, 2", "x = 2, x = 1"),
        ("x=1, y=2", "y=2, x=1"),
        (r"x=1 \text{ or } x=2", "1, 2"),
        ("f(3) = 7", "7"),
        ("S = 12", "12"),
        ("AB = 5", "5"),
        (r"\text{Minimum: } 1", "1"),
        (r"\text{Minimum: } 1", r"\text{minimum: } 1"),
        ("a_1 = 4", "4"),
    ],
    "intervals": [
        ("(1, 2]", r"\left(1, 2\right]"),
        (r"(-\infty, 2]", r"x \le 2"),
        (r"x \le 2", r"(-\infty, 2]"),
        (r"x \in [1, 2)", "[1, 2)"),
        ("[1, 2)", r"1 \le x < 2"),
        (r"(-\infty, \infty)", r"\mathbb{R}"),
        (r"[0, \infty)", r"x \ge 0"),
        ("[0, 1]", r"\left[0, \frac{2}{2}\right]"),
        (r"(0, \sqrt{2}]", r"0 < x \leq \sqrt{2}"),
    ],
    "inequalities": [
        ("x > 2", "2 < x"),
        (r"x \geq 2", r"x \geqslant 2"),
        ("1 < x < 2", "2 > x > 1"),
        ("x > 2", r"(2, \infty)"),
        (r"x \ge 2", "x >= 2"),
        ("|x| < 1", "-1 < x < 1"),
        (r"x \neq 2", r"(-\infty, 2) \cup (2, \infty)"),
        ("2x > 4", "x > 2"),
        ("-x > 4", "x < -4"),
    ],
    "set-builders": [
        (r"\{x \mid x > 2\}", r"(2, \infty)"),
        (r"(2, \infty)", r"\{x : x > 2\}"),
        (r"\{x \in \mathbb{R} \mid x \ne 1\}", r"(-\infty, 1) \cup (1, \infty)"),
        (r"\{x \mid 0 \le x < 1\}", "[0, 1)"),
        (r"\{x \mid x > 2\}", r"\{t \mid t > 2\}"),
    ],
    "unions": [
        (r"(-\infty, -1) \cup (1, \infty)", r"(1, \infty) \cup (-\infty, -1)"),
        (r"(-\infty, -1) \cup (1, \infty)", r"x < -1 \text{ or } x > 1"),
        (r"[0, 1] \cup [1, 2]", "[0, 2]"),
        (r"[0, 3] \setminus \{1\}", r"[0, 1) \cup (1, 3]"),
        (r"\mathbb{R} \setminus \{0\}", r"(-\infty, 0) \cup (0, \infty)"),
        (r"(0, 2) \cap (1, 3)", "(1, 2)"),
    ],
    "equations": [
        ("y = 2x + 1", "y = 1 + 2x"),
        ("y = 2x + 1", "2x + 1"),
        ("y = 2x + 1", "y - 2x - 1 = 0"),
        ("2x + 3y = 6", "4x + 6y = 12"),
        ("x^2 + y^2 = 4", "y^2 + x^2 = 4"),
        ("x^2 + y^2 = 4", "x^2 + y^2 - 4 = 0"),
        ("f(x) = 2x", "f(x)=2 x"),
        ("f(x) = 2x", "2x"),
        ("f(n) = 2n", "f(m) = 2m"),
        ("2x + y = 4", "y = 4 - 2x"),
        (r"\frac{1}{2} = 0.5", "0.5"),
        ("a_n = 2^n", "a_n = 2^{n}"),
    ],
    "matrices": [
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix} \frac{2}{2} & 2 \\ 3 & 4 \end{pmatrix}"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1, 2)"),
        (r"\begin{pmatrix}2&4\\6&8\end{pmatrix}", r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
        (r"\begin{pmatrix}1&1\\1&1\end{pmatrix}", r"\frac{1}{2}\begin{pmatrix}2&2\\2&2\end{pmatrix}"),
        (
            r"\begin{pmatrix}1&2\\3&5\end{pmatrix}",
            r"\begin{pmatrix}1&1\\1&1\end{pmatrix}+\begin{pmatrix}0&1\\2&4\end{pmatrix}",
        ),
        (
            r"\begin{pmatrix}2&1\\4&3\end{pmatrix}",
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}\begin{pmatrix}0&1\\1&0\end{pmatrix}",
        ),
        (r"A = \begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    ],
    "ratios": [
        ("1:2", "2:4"),
        ("1:2", r"\frac{1}{2}"),
        ("1:2:3", "2:4:6"),
        (r"3:4", "3 : 4"),
        (r"\frac{3}{4}", "3:4"),
    ],
    "times": [("12:00", "12:00"), ("3:05", "3:05")],
    "plus-minus": [
        (r"\pm 3", "3, -3"),
        (r"1 \pm \sqrt{2}", r"1 + \sqrt{2}, 1 - \sqrt{2}"),
        (r"\pm 3", r"-3, 3"),
        (r"x = \pm 3", r"\pm 3"),
        (r"1 \pm i", r"1-i, 1+i"),
        (r"\{3, -3\}", r"\pm 3"),
    ],
    "rounding": [
        (r"\pi", "3.142"),
        (r"\sqrt{2}", "1.414"),
        (r"\frac{1}{3}", "0.333"),
        (r"\frac{2}{3}", "0.667"),
        ("0.12345", "0.123"),
        ("1.4142", r"\sqrt{2}"),
        (r"\ln 2", "0.6931"),
        (r"100\pi", "314.2"),
    ],
    "algebra": [
        ("(x+1)^2", "x^2+2x+1"),
        ("x^2-1", "(x-1)(x+1)"),
        ("p - q", "-q + p"),
        ("2(x+y)", "2x+2y"),
        (r"\frac{x}{2}", r"\frac12 x"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        ("xy", "yx"),
        ("x^{-1}", r"\frac{1}{x}"),
        ("2^{n+1}", r"2 \cdot 2^n"),
        (r"\frac{n(n+1)}{2}", r"\frac{n^2+n}{2}"),
        (r"x_1 + x_2", r"x_2 + x_1"),
    ],
    "trigonometry": [
        (r"\sin^2 x + \cos^2 x", "1"),
        (r"\sin 2x", r"2 \sin x \cos x"),
        (r"\tan x", r"\frac{\sin x}{\cos x}"),
        (r"\cos(2x)", r"1 - 2\sin^2(x)"),
        (r"\sin 30^\circ", r"\frac{1}{2}"),
        (r"\cos \frac{\pi}{3}", "0.5"),
        (r"\arctan 1", r"\frac{\pi}{4}"),
        (r"\tan^{-1} 1", r"\arctan(1)"),
    ],
    "logarithms": [
        (r"\ln 8", r"3 \ln 2"),
        (r"\log_2 8", "3"),
        (r"\log_2 3", r"\frac{\ln 3}{\ln 2}"),
        (r"\log 100", "2"),
        (r"\ln e", "1"),
        (r"e^{\ln 5}", "5"),
        (r"\ln(ab)", r"\ln a + \ln b"),
    ],
    "roots": [
        (r"\sqrt{8}", r"2\sqrt{2}"),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
        (r"\sqrt[3]{8}", "2"),
        (r"\sqrt[3]{2}", "2^{1/3}"),
        (r"\sqrt{2}\sqrt{3}", r"\sqrt{6}"),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}"),
        (r"\sqrt[3]{-8}", "-2"),
        ("√2", r"\sqrt2"),
        (r"\sqrt{-4}", "2i"),
    ],
    "whole-number functions": [
        ("5!", "120"),
        (r"\binom{5}{2}", "10"),
        (r"\lfloor 2.7 \rfloor", "2"),
        (r"\lceil 2.1 \rceil", "3"),
        (r"\frac{(n+1)!}{n!}", "n+1"),
        (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
        (r"\gcd(12, 18)", "6"),
        (r"\max(1, 2)", "2"),
    ],
    "sums": [
        (r"\sum_{k=1}^{10} k", "55"),
        (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
        (r"\prod_{k=1}^{4} k", "24"),
        (r"\sum_{i=0}^{3} 2^i", "15"),
        (r"\sum_{k=1}^{3} \frac{1}{k}", r"\frac{11}{6}"),
    ],
    "absolute values": [
        ("|-3|", "3"),
        (r"\left|x\right|", "|x|"),
        ("|x|", "|-x|"),
        ("|x|", r"\sqrt{x^2}"),
        ("|3+4i|", "5"),
    ],
    "complex": [
        ("1+i", "i+1"),
        ("i^2", "-1"),
        ("(1+i)^2", "2i"),
        (r"e^{i\pi}", "-1"),
        (r"\frac{1}{i}", "-i"),
    ],
    "parameters": [
        (r"2\pi k", r"2\pi n"),
        (r"\frac{\pi}{4} + k\pi", r"\frac{\pi}{4} + \pi n"),
        (r"180^\circ k", r"180^\circ n"),
        (r"\pi k, k \in \mathbb{Z}", r"\pi k"),
    ],
    "constants of integration": [
        ("x^2 + C", "x^2 + c"),
        (r"\frac{x^3}{3} + C", r"\frac{1}{3}x^3 + C"),
        ("e^x + C", "e^x + K"),
    ],
    "infinity": [(r"\infty", r"+\infty"), (r"-\infty", r"- \infty"), (r"\infty", "∞")],
}

REJECTED = {
    "symbols of units": [
        ("2.5 nm", "2.5 mm"),
        ("2.5 nm", r"25\ \text{nm}"),
        ("2 A", r"3\ \text{A}"),
        ("2 A", r"2\ \text{V}"),
        ("300 K", r"300\ \text{N}"),
        (r"2\ \text{A}", r"\frac{2}{A}"),
    ],
    "where an index begins": [
        (r"2^k, k \ge 1", r"2^k, k \ge 0"),
        (r"4k, k \ge 2", r"4k, k \ge 1"),
    ],
    "integers": [
        ("5", "6"),
        ("5", "-5"),
        ("5", "55"),
        ("5", "0.5"),
        ("5", ""),
        ("0", "1"),
        ("12", "21"),
        ("5", "5x"),
        ("5", "5, 6"),
        ("1000001", "1000002"),
        ("123456789012345678", "123456789012345679"),
        ("22", "2 2"),
        ("7", "7 7"),
    ],
    "thousands": [
        ("12,000", "1,200"),
        ("1000", "1,001"),
        ("1000", "10,00"),
        ("1000", "1.000,5"),
        ("(1,234)", "1234"),
        ("1234", "(1,234)"),
        ("1,000", "1,000,000"),
        ("1000000", "1000"),
        ("1, 234, 5", "1234.5"),
    ],
    "decimals": [
        ("0.5", "0.05"),
        ("0.5", "5"),
        ("0.25", "0.3"),
        ("0.1", "0.10001"),
        ("2", "2.01"),
        ("3.5", "3"),
        ("0.0000001", "0.0000002"),
        ("99.5", "100"),
    ],
    "repeating": [
        (r"\frac{1}{3}", r"0.\overline{34}"),
        (r"\frac{1}{6}", r"0.\overline{16}"),
        (r"\frac{1}{3}", "0.3"),
        ("1", r"0.\overline{8}"),
        (r"0.\overline{12}", "0.12"),
    ],
    "fractions": [
        (r"\frac{1}{2}", r"\frac{2}{1}"),
        (r"\frac{1}{2}", r"-\frac{1}{2}"),
        (r"\frac{1}{2}", "1"),
        (r"\frac{1}{2}", "12"),
        (r"\frac{14}{3}", r"\frac{14}{5}"),
        (r"\frac{14}{3}", r"\frac{3}{14}"),
        (r"\frac{1}{2}", r"\frac{1}{0}"),
        (r"\frac{1}{2}", r"\frac{1}{2"),
        (r"\frac{1}{2}", r"\frac{1}{2}, 3"),
        (r"\frac{1}{2}", r"\frac{0}{0}"),
        (r"\frac{1}{1000000}", "0"),
    ],
    "mixed numbers": [
        (r"\frac{11}{2}", r"1\frac{1}{2}"),
        (r"5\frac{1}{2}", r"\frac{5}{2}"),
        (r"5\frac{1}{2}", r"5\frac{1}{3}"),
        (r"\frac{5}{2}", r"5\frac{1}{2}"),
        (r"-1\frac{3}{4}", r"-\frac{1}{4}"),
        (r"-1\frac{3}{4}", r"1\frac{3}{4}"),
    ],
    "scientific": [
        (r"1.6\times 10^{-19}", r"1.7\times 10^{-19}"),
        (r"1.6\times 10^{-19}", r"1.6\times 10^{-18}"),
        (r"1.6\times 10^{-19}", "0"),
        (r"1.6\times 10^{-19}", "1.6"),
        ("10^6", "10^7"),
        ("3e8", "3e-8"),
    ],
    "ordinals": [("4", "5th"), ("21", r"22^{\text{nd}}"), ("3", "31st")],
    "money": [
        (r"\$5", r"\$6"),
        (r"\$5", "€5"),
        (r"\$5", r"5\text{ cents}"),
        (r"\$5.50", "5"),
        (r"\$1,250", "1.250"),
        ("12", r"\$12.50"),
    ],
    "per cent": [
        ("0.5", r"0.5\%"),
        ("50", r"0.5\%"),
        ("50", "0.5"),
        (r"50\%", r"5\%"),
        (r"50\%", "0.05"),
        (r"50\%", "5000"),
        (r"50\%", r"\frac{1}{50}"),
        ("5", r"5\%"),
    ],
    "units": [
        (r"5\text{ cm}", r"5\text{ m}"),
        (r"5\text{ cm}", r"6\text{ cm}"),
        (r"5\text{ cm}", r"5\text{ cm}^2"),
        (r"5\text{ cm}^2", r"5\text{ cm}^3"),
        (r"10\text{ m/s}", r"10\text{ km/h}"),
        (r"8\text{ hours}", r"8\text{ minutes}"),
        ("12", "12 or 13 apples"),
        ("12", "12 million"),
        ("12", "12 dozen"),
        ("12", "not 12"),
        ("12", r"12 \text{ or more}"),
    ],
    "angles": [
        (r"60^\circ", r"30^\circ"),
        (r"60^\circ", r"\frac{\pi}{6}"),
        (r"\frac{\pi}{3}", "60"),
        ("30", r"\frac{\pi}{6}"),
        (r"60^\circ", r"60\text{ radians}"),
        (r"\frac{\pi}{3}", r"30^\circ"),
        (r"\frac{\pi}{3}", r"\frac{\pi}{3}^\circ"),
    ],
    "bases": [
        ("1112112_3", "1112112_4"),
        ("12_3", "12"),
        ("12_3", "21_3"),
        ("12_3", "5"),
        ("5", "12_3"),
        ("101_2", "110_2"),
    ],
    "text": [
        (r"\text{infinitely many}", r"\text{finitely many}"),
        (r"\text{Evelyn}", r"\text{Eve}"),
        (r"\text{Evelyn}", r"\text{Evelyn or Carla}"),
        ("yes", "no"),
        ("even", "odd"),
        ("even", "not even"),
        ("no solution", "one solution"),
        ("no solution", "0"),
        ("circle", "semicircle"),
        ("Yes", "5"),
    ],
    "choices": [
        (r"\text{(A)}", r"\text{(B)}"),
        (r"\text{(A)}", r"\text{(A) or (B)}"),
        (r"\text{(A)}", "A, B"),
        ("B", "AB"),
        ("B", "not B"),
        ("(C)", "(A), (B), (C)"),
        ("B", "A B C D"),
    ],
    "tuples": [
        ("(1, 2)", "(2, 1)"),
        ("(1, 2)", r"\{1, 2\}"),
        ("(1, 2)", "[1, 2]"),
        ("(1, 2)", "(1, 2, 3)"),
        ("(1, 2)", "(1, 3)"),
        ("(1, 2)", "1"),
        ("(1, 2, 3)", "(3, 2, 1)"),
        ("(1, 2, 3)", "(1, 2)"),
        (r"(3, \frac{\pi}{2})", r"(\frac{\pi}{2}, 3)"),
        ("(1, 2)", "(-1, 2)"),
        ("(1, 2)", "((1, 2), (1, 2), 3)"),
    ],
    "lists": [
        ("7", "5, 6, 7, 8"),
        ("1, 2, 3", "1, 2"),
        ("1, 2", "1, 2, 3"),
        ("1, 2, 3", "1, 2, 4"),
        ("1, 1, 2", "1, 2"),
        ("1, 2, 2", "1, 1, 2"),
        ("1, 2", "12"),
        ("5", r"5 \text{ or } 6"),
        ("(1,2), (3,4)", "(1,4), (3,2)"),
        ("(1,2), (3,4)", "(1,2)"),
        ("(1,2), (3,4)", "(2,1), (4,3)"),
        ("1, -1", "1"),
        ("3, 3", "3"),
    ],
    "sets": [
        (r"\{1, 2\}", r"\{1, 3\}"),
        (r"\{1, 2\}", r"\{1\}"),
        (r"\{1, 2\}", r"\{1, 2, 3\}"),
        (r"\{1, 2\}", "(1, 2)"),
        (r"\{1, 2\}", "[1, 2]"),
        (r"\emptyset", r"\{0\}"),
        (r"\emptyset", "0"),
        (r"\{1, 2\}", r"\{\{1, 2\}, 3\}"),
    ],
    "labelled": [
        ("x=5", "y=5"),
        ("x=5", "x=6"),
        ("x=1, y=2", "x=2, y=1"),
        ("x=1, y=2", "x=1"),
        ("7", "6 = 7"),
        ("7", "7 = 6"),
        ("7", "x = 6 = 7"),
        ("7", "x = 7 = 6"),
        ("7", "x = 7, x = 8"),
        ("f(3) = 7", "f(4) = 7"),
        ("f(x) = 2x", "g(x) = 2x"),
        (r"\text{Minimum: } 1", r"\text{Maximum: } 1"),
        ("5", r"x \ne 5"),
        ("5", "x > 5"),
        ("a_1 = 4", "a_2 = 4"),
    ],
    "intervals": [
        ("(1, 2)", "[1, 2]"),
        ("(1, 2]", "[1, 2)"),
        ("(1, 2]", "(1, 2)"),
        ("(1, 2]", "(1, 3]"),
        ("(1, 2]", "(2, 1]"),
        (r"(-\infty, 2]", r"(-\infty, 2)"),
        (r"(-\infty, 2]", r"[2, \infty)"),
        (r"(-\infty, 2]", "2"),
        (r"x \in [1, 2)", r"x \in [1, 2]"),
        (r"(-\infty, \infty)", r"(0, \infty)"),
        (r"(0, \infty)", r"[0, \infty)"),
        (r"\mathbb{R}", r"\mathbb{Q}"),
    ],
    "inequalities": [
        ("x > 2", r"x \ge 2"),
        ("x > 2", "x < 2"),
        ("x > 2", "x > 3"),
        ("x > 2", "y > 2"),
        ("x > 2", "x = 2"),
        (r"x \neq 2", "x = 2"),
        ("1 < x < 2", r"1 \le x < 2"),
        ("1 < x < 2", "1 < x"),
        ("|x| < 1", "x < 1"),
        ("|x| > 1", "x > 1"),
        ("2x > 4", "x > 4"),
        ("-x > 4", "x > -4"),
    ],
    "set-builders": [
        (r"\{x \mid x > 2\}", r"\{x \mid y > 2\}"),
        (r"\{x \mid x > 2\}", r"\{x \mid x \ge 2\}"),
        (r"\{x \mid x > 2\}", r"\{x \mid x < 2\}"),
        (r"\{x \mid 0 \le x < 1\}", "[0, 1]"),
        (r"\{x \mid x > 2\}", r"\{2\}"),
    ],
    "unions": [
        (r"(-\infty, -1) \cup (1, \infty)", r"(-\infty, -1] \cup [1, \infty)"),
        (r"(-\infty, -1) \cup (1, \infty)", r"(1, \infty)"),
        (r"(-\infty, -1) \cup (1, \infty)", r"(-1, 1)"),
        (r"(-\infty, -1) \cup (1, \infty)", r"(-\infty, -1) \cap (1, \infty)"),
        (r"[0, 1) \cup (1, 2]", "[0, 2]"),
        (r"\mathbb{R} \setminus \{0\}", r"\mathbb{R}"),
        (r"\mathbb{R} \setminus \{0\}", r"\mathbb{R} \setminus \{1\}"),
        (r"(0, 2) \cap (1, 3)", "(0, 3)"),
    ],
    "equations": [
        ("y = 2x + 1", "y = 2x - 1"),
        ("y = 2x + 1", "x = 2y + 1"),
        ("y = 2x + 1", "2x"),
        ("y = 2x + 1", "0 = 0"),
        ("2x + 3y = 6", "2x + 3y = 12"),
        ("2x + 3y = 6", "2x - 3y = 6"),
        ("x^2 + y^2 = 4", "x^2 + y^2 = 2"),
        ("x^2 + y^2 = 4", "x^2 + y^2 + 4 = 0"),
        ("x^2 + y^2 = 4", "4"),
        ("2x + y = 4", "y = 2x - 4"),
        ("a_n = 2^n", "2"),
        ("a_n = 2^n", "a_n = 2^{n+1}"),
        ("3", "3 = 3 = 4"),
        ("x+1", "x+1 = x+2"),
    ],
    "matrices": [
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&5\end{pmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "1, 2, 3, 4"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "-2"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(2, 1)"),
        (r"\begin{pmatrix}2&4\\6&8\end{pmatrix}", r"3\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
        (
            r"\begin{pmatrix}2&1\\4&3\end{pmatrix}",
            r"\begin{pmatrix}0&1\\1&0\end{pmatrix}\begin{pmatrix}1&2\\3&4\end{pmatrix}",
        ),
    ],
    "ratios": [
        ("1:2", "2:1"),
        ("1:2", "1:3"),
        ("1:2", "2"),
        ("1:2:3", "1:2"),
        ("1:2:3", "3:2:1"),
        ("1:2:3", "2:4:7"),
        ("1:2", "0:0"),
    ],
    "times": [("12:00", "1:00"), ("12:00", "12"), ("12:00", "24:00"), ("3:05", "3:50"), ("10:30", "1:3")],
    "plus-minus": [
        ("3", r"\pm 3"),
        (r"\pm 3", "3"),
        (r"\pm 3", "-3"),
        (r"\pm 3", r"\pm 4"),
        (r"\pm 3", "3, -3, 0"),
        (r"1 \pm \sqrt{2}", r"1 + \sqrt{2}"),
        (r"1 \pm \sqrt{2}", r"-1 \pm \sqrt{2}"),
    ],
    "rounding": [
        (r"\pi", "3.14"),
        (r"\pi", "3.1"),
        (r"\pi", "3"),
        (r"\pi", r"\frac{22}{7}"),
        (r"\pi", "3.141"),
        (r"\sqrt{2}", "1.41"),
        (r"\sqrt{2}", "1.415"),
        (r"\frac{1}{3}", "0.33"),
        (r"\frac{1}{3}", "0.334"),
        (r"\frac{2}{3}", "0.666"),
        ("0.12345", "0.124"),
        ("0.12345", "0.12"),
        ("5", "5.001"),
        (r"\frac{2}{3}", r"0.667\%"),
        ("1000001", "1000000"),
        (r"100\pi", "314"),
    ],
    "algebra": [
        ("(x+1)^2", "x^2+1"),
        ("(x+1)^2", "(x-1)^2"),
        ("x+1", "x+2"),
        ("x+1", "y+1"),
        ("x+1", r"x+1+0\cdot y+1"),
        ("p - q", "q - p"),
        ("2x", "x^2"),
        ("2^n", "n^2"),
        ("xy", "x+y"),
        ("x^{-1}", "-x"),
        (r"x_1 + x_2", "x_1 + x_3"),
        ("x^2", "x"),
        ("4", r"4\sqrt{2}"),
        ("a+b", "a+c"),
    ],
    "trigonometry": [
        (r"\sin x", r"\cos x"),
        (r"\sin 2x", r"2\sin x"),
        (r"\sin^2 x", r"\sin x^2"),
        (r"\tan x", r"\frac{\cos x}{\sin x}"),
        (r"\sin 30^\circ", r"\sin 30"),
        (r"\sin x", "x"),
        (r"\tan^{-1} x", r"\frac{1}{\tan x}"),
        (r"\cos \frac{\pi}{3}", r"\frac{\sqrt{3}}{2}"),
    ],
    "logarithms": [
        (r"\ln 8", r"2\ln 3"),
        (r"\log_2 8", r"\log_3 8"),
        (r"\log_2 3", r"\log_3 2"),
        (r"\ln 2", r"\log_{10} 2"),
        (r"\ln(a+b)", r"\ln a + \ln b"),
        (r"\ln 2", "2"),
        (r"e^2", "2"),
    ],
    "roots": [
        (r"\sqrt[3]{2}", r"\sqrt[4]{2}"),
        (r"\sqrt{8}", r"2\sqrt{3}"),
        (r"\sqrt{8}", "8"),
        (r"\sqrt[3]{8}", r"\sqrt{8}"),
        (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5}"),
        (r"\sqrt{2}", r"-\sqrt{2}"),
        (r"\sqrt{-4}", "2"),
        (r"\sqrt{x+y}", r"\sqrt{x}+\sqrt{y}"),
        (r"2\sqrt{3}", r"3\sqrt{2}"),
    ],
    "whole-number functions": [
        (r"\max(1, 2)", "1"),
        ("5!", "60"),
        (r"\binom{5}{2}", "20"),
        (r"\binom{5}{2}", r"\frac{5}{2}"),
        (r"\lfloor 2.7 \rfloor", "3"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        ("n!", "n"),
        (r"\gcd(12, 18)", "36"),
    ],
    "sums": [
        (r"\sum_{i=0}^{3} 2^i", r"\sum_{i=0}^{4} 2^i"),
        (r"\sum_{k=1}^{10} k", "45"),
        (r"\sum_{k=1}^{n} k", r"\frac{n(n-1)}{2}"),
        (r"\sum_{k=1}^{n} k", r"\sum_{k=0}^{n} (k+1)"),
        (r"\prod_{k=1}^{4} k", r"\sum_{k=1}^{4} k"),
    ],
    "absolute values": [("|x|", "x"), ("|x|", "-x"), ("|-3|", "-3"), ("|x+1|", "|x|+1"), ("|3+4i|", "7")],
    "complex": [("1+i", "1-i"), ("1+i", "1"), ("i", "-i"), ("i", "1"), ("2i", "-2i"), (r"e^{i\pi}", "1")],
    "parameters": [
        (r"2\pi k", r"\pi k"),
        (r"2\pi k", r"2\pi"),
        (r"\frac{\pi}{4} + k\pi", r"\frac{\pi}{4} + 2k\pi"),
        ("2k", "2n + 1"),
        ("2n", "2x"),
        (r"180^\circ k", r"360^\circ k"),
    ],
    "constants of integration": [
        ("x^2 + C", "x^2"),
        ("x^2 + C", "x + C"),
        ("x^2 + C", "x^2 + x"),
        ("x^2 + C", "C"),
    ],
    "infinity": [(r"\infty", r"-\infty"), (r"\infty", "0"), (r"\infty", "1000000"), ("5", r"\infty")],
    "hedges": [
        ("12", r"12 \text{ or } 13"),
        ("12", "12?"),
        ("12", "12, maybe 13"),
        ("12", r"\text{either } 12 \text{ or } 13"),
        ("12", "not 12"),
        ("12", r"12 \text{ is wrong}"),
        ("12", r"12 \text{ unless } n = 0"),
        ("12", "{12, 13}"),
        ("12", r"\{12\} \cup \{13\}"),
        ("12", "10 < 12 < 13"),
        ("12", r"12 \pm 1"),
        ("12", r"12 \ldots"),
        ("12", "12; 13"),
        ("(1, 2]", r"(1, 2] \text{ or } [1, 2]"),
    ],
    "tiny and huge": [
        ("1", "1.0000000001"),
        ("0.0000000001", "0.0000000002"),
        (r"\frac{1}{2}", "0.50000000001"),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
        (r"\frac{1}{2^{99}}", "0"),
        ("2^{100}-1", "2^{100}"),
        ("2^{1000}", "2^{1000}+1"),
        ("10^{100}", "10^{100}+1"),
        ("10^{-100}", "0"),
        (r"e^{-200}", "0"),
        (r"e^{-200}", r"2e^{-200}"),
        (r"1 + 10^{-60}", "1"),
        ("10^{50}", "10^{51}"),
        (r"\sqrt{10^{40}+1}", "10^{20}"),
    ],
    "chains of equals": [
        ("7", r"7 = 8 - 1 = 6"),
        ("7", "a = 7 = b = 8"),
        ("7", r"8 \approx 7 = 7.0001"),
        ("0.5", r"x = \frac{1}{2} = 0.25"),
        ("7", "7 = 7 = 8"),
    ],
}


def rows(table):
    """Every pair of a table, named by its rule."""
    pairs = [(rule, pair) for rule, of_rule in table.items() for pair in of_rule]
    return [pytest.param(*pair, id=f"{rule}: {pair[0]} | {pair[1]}") for rule, pair in pairs]


@pytest.mark.parametrize(("reference", "answer"), rows(ACCEPTED))
def test_accepted(reference, answer):
    verdict = MathVerifier().judge(reference, answer)
    assert verdict.value == 1.0, verdict.reason


@pytest.mark.parametrize(("reference", "answer"), rows(REJECTED))
def test_rejected(reference, answer):
    verdict = MathVerifier().judge(reference, answer)
    assert verdict.value == 0.0, verdict.reason


def values(verifier, *pairs):
    return [verifier.judge(*pair).value for pair in pairs]


NAMED = [
    ("1/3", r"P(A|B) = \frac{1}{3}", r"P(A|B) = \frac{2}{3}"),
    ("1/3", r"P(A \mid B) = \frac13", r"1 - P(A \mid B) = \frac13"),
    ("0.2", r"\Pr\left(A|B\right) = 0.2", r"2\Pr(A|B) = 0.2"),
    ("0.2", r"\mathbb{P}(A \cap B) = 0.2", r"\mathbb{P}(A \cap B)^2 = 0.2"),
    ("5/2", r"\mathbb{E}[X] = \frac{5}{2}", r"-\mathbb{E}[X] = \frac{5}{2}"),
    ("4", r"\text{Var}(X) = 4", r"\text{Var}(X) = 4 \text{ or } 5"),
    ("36", r"\operatorname{lcm}(12, 18) = 36", r"\operatorname{lcm}(12, 18) < 36"),
    ("5", r"\|\vec{v}\| = 5", r"\|\vec{v}\|^2 = 5"),
    ("5", r"\text{Area of } ABC = 5", r"\text{Area of } ABC = 5 + x"),
    ("0.25", r"P(X|Y) = \frac14 = 0.25", r"P(X|Y) = \frac14 = 0.3"),
]


@pytest.mark.parametrize(("reference", "named", "other"), NAMED)
def test_a_quantity_by_its_usual_name_is_its_value(reference, named, other):
    assert values(MathVerifier(), (reference, named), (reference, other)) == [1, 0]


def test_labels_of_both_sides_are_compared():
    assert values(MathVerifier(), ("P(A|B) = 0.2", "P(B|A) = 0.2"), ("P(A) = 0.2", "P(B) = 0.2"))[1] == 0


CHOSEN = [
    r"(C) 12",
    "C. 12",
    "C) 12",
    r"\textbf{(C)}\ 12",
    r"\textbf{(C) }12",
    r"\text{(C) 12}",
    r"\mathrm{(C)}\quad 12",
]


@pytest.mark.parametrize("answer", CHOSEN)
def test_a_chosen_option_counts_by_its_value_where_the_reference_names_no_letter(answer):
    pairs = [("12", answer), ("13", answer), ("C", answer), ("D", answer), ("(D) 12", answer)]
    assert values(MathVerifier(), *pairs) == [1, 0, 1, 0, 0]


def test_two_options_are_no_choice():
    others = ["(C) 12 or (D) 13", "(A) 12, (B) 13", r"(C) \text{not } 12", "A. 1 B. 12"]
    assert values(MathVerifier(), *(("12", other) for other in others)) == [0, 0, 0, 0]


def test_rounding_digits():
    pairs = [(r"\frac{1}{3}", "0.33"), (r"\frac{1}{3}", "0.333"), (r"\pi", "3.14"), (r"\pi", "3.142"), ("0.5", "1/2")]
    assert values(MathVerifier(), *pairs) == [0, 1, 0, 1, 1]
    assert values(MathVerifier(rounding_digits=2), *pairs) == [1, 1, 1, 1, 1]
    assert values(MathVerifier(rounding_digits=4), *pairs) == [0, 0, 0, 0, 1]
    assert values(MathVerifier(rounding_digits=None), *pairs) == [0, 0, 0, 0, 1]
    assert MathVerifier().judge(r"\frac{1}{3}", "0.333").reason is Reason.MATCHED_BY_ROUNDING
    assert MathVerifier().judge("0.33333", "0.333").reason is Reason.MATCHED_BY_ROUNDING


def test_order():
    pairs = [("1, 2, 3", "1, 2, 3"), ("1, 2, 3", "3, 2, 1"), ("1, 2, 3", "1.0, 2, 3"), (r"\{1, 2\}", r"\{2, 1\}")]
    assert values(MathVerifier(), *pairs) == [1, 1, 1, 1]
    assert values(MathVerifier(order="kept"), *pairs) == [1, 0, 1, 1]


def test_units():
    pairs = [(r"5\text{ cm}", r"5\text{ cm}"), (r"5\text{ cm}", "5"), ("5", r"5\text{ cm}")]
    pairs += [(r"50\%", "50"), (r"60^\circ", "60"), (r"50\%", "0.5"), (r"5\text{ cm}", "5 centimeters")]
    assert values(MathVerifier(), *pairs) == [1, 1, 1, 1, 1, 1, 1]
    assert values(MathVerifier(units="required"), *pairs) == [1, 0, 0, 0, 0, 1, 1]


REASONS = [
    ("5", "5", Reason.MATCHED_EXACTLY),
    (r"\text{Evelyn}", "Evelyn", Reason.MATCHED_EXACTLY),
    (r"\dfrac12", r"\frac{2}{4}", Reason.MATCHED_BY_VALUE),
    ("1000", "1,000", Reason.MATCHED_BY_VALUE),
    ("2x+1", "1+2x", Reason.MATCHED_SYMBOLICALLY),
    ("5", "6", Reason.MISMATCH),
    ("5", "", Reason.NO_ANSWER),
    ("5", None, Reason.NO_ANSWER),
    ("5", "é", Reason.UNREADABLE_ANSWER),
    ("5", "((5", Reason.UNREADABLE_ANSWER),
    ("9", "9^{9^{9^9}}", Reason.TOO_LARGE),
    ("6", "((((3!)!)!)!)!", Reason.TOO_LARGE),
    ("9^{9^{9^9}}", "9^{9^{9^{9}}}", Reason.MATCHED_EXACTLY),
    ("", "5", Reason.REFERENCE_UNREADABLE),
]


@pytest.mark.parametrize(("reference", "answer", "reason"), REASONS)
def test_reasons(reference, answer, reason):
    assert MathVerifier().judge(reference, answer).reason is reason


def test_verify_math_is_the_default_verifier_as_a_function():
    assert verify_math("5", r"\boxed{5}") is True
    assert verify_math("5", r"\boxed{6}") is False
    assert verify_math("5", "") is False
    assert verify_math("", r"\boxed{5}") is None


@pytest.mark.parametrize(
    "settings", [{"rounding_digits": 0}, {"order": "some"}, {"units": 1}, {"max_characters": 0}, {"other": 1}]
)
def test_unknown_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        MathVerifier(**settings)


def test_the_type_names_it_in_a_configuration():
    found = TypeAdapter(AnyVerifier).validate_python({"type": "math", "order": "kept"})
    assert found == MathVerifier(order="kept")
