// One question at a time; answers are kept in this browser until the page is made anew.
"use strict";

const FIRST = "first", SECOND = "second", TIE = "tie";
const questions = COMPARISON.questions;
const memory = `lookalike-compare-${fingerprint(JSON.stringify(questions) + COMPARISON.names)}`;
const find = (id) => document.getElementById(id);
let answers = recall();
let current = Math.min(answers.length, questions.length - 1);

function fingerprint(text) {
  let hash = 5381;
  for (let i = 0; i < text.length; i++) hash = ((hash * 33) ^ text.charCodeAt(i)) >>> 0;
  return hash.toString(36);
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(memory) || "[]");
    return Array.isArray(kept) ? kept.slice(0, questions.length) : [];
  } catch { return []; } // storage is switched off: a reload then starts over
}

function keep() {
  try { localStorage.setItem(memory, JSON.stringify(answers)); } catch { /* as above */ }
}

function fill(grid, keys) {
  grid.replaceChildren(...keys.map((key) => {
    const image = new Image();
    image.src = COMPARISON.pictures[key];
    image.alt = "";
    return image;
  }));
}

function ask() {
  find("asking").hidden = false;
  find("result").hidden = true;
  const question = questions[current];
  document.querySelector(".query img").src = COMPARISON.pictures[question.query];
  fill(document.querySelector("#left .grid"), question.left);
  fill(document.querySelector("#right .grid"), question.right);
  find("number").textContent = current + 1;
  const bar = document.querySelector(".progress");
  bar.setAttribute("aria-valuenow", answers.length);
  bar.firstElementChild.style.width = `${100 * current / questions.length}%`;
  find("back").disabled = current === 0;
  find("finish").disabled = answers.length === 0;
  const given = answers[current];
  const leftSide = question.leftIsFirst ? FIRST : SECOND;
  find("left").classList.toggle("chosen", given === leftSide);
  find("right").classList.toggle("chosen", given !== undefined && given !== TIE && given !== leftSide);
}

function answer(side) {
  if (find("asking").hidden) return;
  const leftIsFirst = questions[current].leftIsFirst;
  answers[current] = side === TIE ? TIE : (side === "left") === leftIsFirst ? FIRST : SECOND;
  keep();
  if (answers.length === questions.length && current === questions.length - 1) return tell();
  current += 1;
  ask();
}

function back() {
  if (find("asking").hidden || current === 0) return;
  current -= 1;
  ask();
}

function tell() {
  const [first, second] = COMPARISON.names;
  const count = (kind) => answers.filter((given) => given === kind).length;
  const wins = count(FIRST), losses = count(SECOND), ties = count(TIE);
  const p = signTest(wins, losses);
  find("asking").hidden = true;
  find("result").hidden = false;
  find("verdict").textContent = sentence(first, second, wins, losses, p);
  find("bars").replaceChildren(
    bar(first, wins), bar(second, losses), bar("no difference", ties, "none"));
  find("test").textContent = `Sign test over ${wins + losses} preferences, two-sided: `
    + `p = ${p < 0.001 ? p.toExponential(1) : p.toFixed(3)}. Ties are left out.`;
  find("passed").textContent = COMPARISON.same > 0
    ? `${COMPARISON.same} queries were passed over because both find the same photos.` : "";
  const kept = { names: COMPARISON.names, answers, first: wins, second: losses, ties, p };
  find("save").href = "data:application/json," + encodeURIComponent(JSON.stringify(kept, null, 2));
  document.querySelector("#result h1").focus();
}

function sentence(first, second, wins, losses, p) {
  const [better, other, more, fewer] = wins >= losses
    ? [first, second, wins, losses] : [second, first, losses, wins];
  if (wins + losses === 0) return "You saw no difference.";
  if (p < 0.05) {
    return `You prefer ${better}: ${more} times, against ${fewer} times ${other}. `
      + "Chance alone would rarely give such a lead.";
  }
  return wins === losses
    ? `You prefer each as often, ${wins} times: there is no sign of a difference.`
    : `You preferred ${better} ${more} times and ${other} ${fewer} times. That lead can well be `
      + "chance: more questions could tell.";
}

function bar(name, count, kind) {
  const row = document.createElement("div");
  const label = document.createElement("span");
  const strip = document.createElement("i");
  const number = document.createElement("b");
  label.textContent = name;
  strip.style.width = `${100 * count / Math.max(1, answers.length)}%`;
  number.textContent = count;
  row.append(label, strip, number);
  if (kind) row.className = kind;
  return row;
}

find("left").addEventListener("click", () => answer("left"));
find("right").addEventListener("click", () => answer("right"));
find("tie").addEventListener("click", () => answer(TIE));
find("back").addEventListener("click", back);
find("finish").addEventListener("click", tell);
find("again").addEventListener("click", () => { current = answers.length - 1; ask(); });
find("restart").addEventListener("click", () => { answers = []; keep(); current = 0; ask(); });
document.addEventListener("keydown", (event) => {
  const keys = { ArrowLeft: () => answer("left"), ArrowRight: () => answer("right"),
    ArrowDown: () => answer(TIE), Backspace: back };
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  event.preventDefault();
  keys[event.key]();
});
if (answers.length === questions.length) tell(); else ask();
