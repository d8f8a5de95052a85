// The page's side: mounts every element with data-explorable="NAME" when the reader comes near it.
// A plain script, since a browser opens no module from the file system. NAME.js lies beside it or was loaded before.
(() => {
  const KEY = "scrcl_edu.progress"; // laid out as the notebooks' progress file
  const beside = document.currentScript?.src ?? document.baseURI;
  const known = (window.scrclExplorables ??= {});

  const stored = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {}; // a page without storage keeps nothing
    }
  };
  const lately = {};
  const progress = {
    of: (task) => lately[task] ?? stored().predictions?.[task],
    keep: (task, kept) => {
      lately[task] = kept;
      try {
        const all = stored();
        localStorage.setItem(KEY, JSON.stringify({ ...all, predictions: { ...all.predictions, [task]: kept } }));
      } catch { /* kept until the page is left */ }
    },
  };

  const load = (name) => new Promise((resolve, reject) => {
    if (known[name]) return resolve();
    const script = document.createElement("script");
    script.src = new URL(`${name}.js`, beside);
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${script.src} did not load`));
    document.head.append(script);
  });

  const start = async (element) => {
    const name = element.dataset.explorable;
    try {
      await load(name);
      known[name](element, { progress });
      element.dataset.live = "true";
    } catch (error) {
      console.error(error); // the static picture stays
    }
  };

  const all = () => {
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          near.unobserve(target);
          start(target);
        }
      }
    }, { rootMargin: "600px" });
    document.querySelectorAll("[data-explorable]:not([data-live])").forEach((element) => near.observe(element));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
