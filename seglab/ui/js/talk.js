// Two minutes with a neighbor: what to talk about, the time that is left, and a second vote.
import { fields } from "./question.js";
import { el, inline, marked, t } from "./text.js";

const MINUTES = 2; // where the lesson does not say

export const discuss = (step, lesson) =>
  el(
    "div.discuss",
    {},
    marked(step.text),
    countdown(60 * (step.minutes || MINUTES), lesson),
    step.again && again(lesson.question(step.again), lesson),
  );

// The seconds that are left, from when it is started.
function countdown(seconds, lesson) {
  let end = 0,
    timer = null;
  const left = el("output", { attrs: { role: "timer" } }),
    button = el("button.act", { type: "button" });
  const draw = () => {
    const now = timer
      ? Math.max(0, Math.ceil((end - Date.now()) / 1000))
      : seconds;
    left.textContent = `${Math.floor(now / 60)}:${`${now % 60}`.padStart(2, "0")}`;
    if (now === 0) {
      left.textContent = t("Time is up.");
      clearInterval(timer);
    }
    button.textContent = timer ? t("Start again") : t("Start the time");
  };
  button.addEventListener("click", () => {
    clearInterval(timer);
    end = Date.now() + 1000 * seconds;
    timer = setInterval(draw, 250);
    draw();
  });
  lesson.addEventListener("closed", () => clearInterval(timer));
  draw();
  return el("p.countdown", {}, left, button);
}

// The second vote on a question.
function again(ask, lesson) {
  const root = el("div.again");
  const draw = () => {
    const answer = lesson.answer(ask.id) ?? {},
      keep = el(
        "button.act.main",
        { type: "submit", disabled: true },
        t("Keep it"),
      );
    const input = fields(ask, `again-${ask.id}`, answer.again, () => {
      keep.disabled = input.value() === null;
    });
    root.replaceChildren(
      el(
        "form.ask",
        {
          on: {
            submit: (event) => {
              event.preventDefault();
              lesson.keep(ask.id, { again: input.value() });
            },
          },
        },
        el(
          "fieldset",
          {},
          el("legend", {}, inline(ask.text)),
          answer.first != null &&
            el(
              "p.hint",
              {},
              t("You said: {answer}", { answer: lesson.said(ask.id) }),
            ),
          input.root,
        ),
        el(
          "div.keep",
          {},
          keep,
          answer.again != null && el("span.hint", {}, t("Kept.")),
        ),
      ),
    );
  };
  lesson.addEventListener("answered", ({ detail }) => {
    if (detail === ask.id) draw();
  });
  draw();
  return root;
}
