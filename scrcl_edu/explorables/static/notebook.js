// The notebook's side: anywidget gives the data and carries guesses to Python.
export default {
  render({ model, el: element }) {
    const progress = {
      of: (task) => model.get("guesses")[task],
      keep: (task, kept) => {
        model.set("guesses", { ...model.get("guesses"), [task]: kept });
        model.save_changes();
      },
    };
    return mount(element, model.get("data"), { progress });
  },
};
