// The points of curves, as the server sends those of a run: {steps, evals}, of which each is a list of numbers.
export const STEPS = { step: 0, epoch: 1, seconds: 2, loss: 3, lr: 4 }; // places in a step's and in an evaluation's point
export const EVALS = {
  step: 0,
  epoch: 1,
  seconds: 2,
  train_loss: 3,
  val_loss: 4,
  train_miou: 5,
  val_miou: 6,
  lr: 7,
  best: 8,
};

// Those of several seeds as one: the means of their evaluations, as far as all of them go, beside the lowest (`low`) and
// the highest (`high`) at the same place. What single steps tell is that of the first seed.
export function averaged(seeds) {
  const count = Math.min(...seeds.map(({ evals }) => evals.length)),
    mean = (values) => values.reduce((a, b) => a + b, 0) / values.length,
    of = (n, reduce) =>
      seeds[0].evals[n].map((_, place) => {
        const values = seeds.map(({ evals }) => evals[n][place]),
          across = [EVALS.step, EVALS.epoch, EVALS.seconds].includes(place);
        if (values.some((each) => each === null)) return null;
        return across ? mean(values) : reduce(values);
      });
  const all = (reduce) =>
    Array.from({ length: count }, (_, n) => of(n, reduce));
  return {
    steps: seeds[0].steps,
    evals: all(mean),
    low: all((values) => Math.min(...values)),
    high: all((values) => Math.max(...values)),
  };
}

// The places of points on both axes, of those that have a value.
export function columns(points, x, y) {
  const kept = points.filter(
    (point) => point[y] !== null && point[y] !== undefined,
  );
  return [kept.map((point) => point[x]), kept.map((point) => point[y])];
}

// The loss of single steps as an exponential mean, without the pull to zero at its beginning (Kingma and Ba 2015).
export function smoothed(steps, share) {
  if (!share) return steps;
  let mean = 0,
    weight = 0;
  return steps.map((point) => {
    if (point[STEPS.loss] === null) return point;
    mean = share * mean + (1 - share) * point[STEPS.loss];
    weight = share * weight + 1 - share;
    return point.with(STEPS.loss, mean / weight);
  });
}

// A run's value nearest to a place on the axis; its last one where none is given.
export function valueAt(points, metric, axis, at) {
  const list = metric === "lr" ? points?.steps : points?.evals;
  const y = metric === "lr" ? STEPS.lr : EVALS[metric],
    x = EVALS[axis];
  if (!list?.length) return null;
  if (at === null) return list.at(-1)[y];
  return list.reduce((a, b) =>
    Math.abs(b[x] - at) < Math.abs(a[x] - at) ? b : a,
  )[y];
}
