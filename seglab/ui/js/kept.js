// What the browser keeps for this page: for good, or until its tab is closed. A browser that keeps nothing, as some do in
// another site's frame, forgets it with the page.
const keeper = (name) => {
  const here = new Map();
  const attempt = (act, otherwise) => {
    try {
      return act(window[name]);
    } catch {
      return otherwise();
    }
  };
  return {
    // Whether it is there when the page is opened again.
    get lasts() {
      return attempt(
        (place) => {
          place.setItem("seglab-lasts", "");
          place.removeItem("seglab-lasts");
          return true;
        },
        () => false,
      );
    },
    get(key, otherwise = null) {
      const text = attempt(
        (place) => place.getItem(key),
        () => here.get(key) ?? null,
      );
      try {
        return JSON.parse(text) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    set(key, value) {
      attempt(
        (place) => place.setItem(key, JSON.stringify(value)),
        () => here.set(key, JSON.stringify(value)),
      );
    },
    remove(key) {
      attempt(
        (place) => place.removeItem(key),
        () => here.delete(key),
      );
    },
  };
};

export const kept = keeper("localStorage"),
  keptHere = keeper("sessionStorage");
