// Arranges Locust's start form: the pool first, options in groups, each with its name, its help and
// what is wrong with it. Locust's fields stay the ones that are sent.
//
// React has made the form. So every element of it stays within its parent, and this script sets only
// texts and attributes that Locust never changes. If the form is not as expected, it stays as it is.
"use strict";
(() => {
  const { groups, fields } = JSON.parse(document.getElementById("start-form").textContent);
  const names = groups.flatMap((group) => group.fields);
  const arranged = new WeakMap();

  // Locust calls a field `poolSize`.
  const camel = (name) => name.replace(/_([a-z0-9])/g, (_, sign) => sign.toUpperCase());
  const letters = (text) => text.replace(/[^a-z0-9]/gi, "").toLowerCase();
  const valueOf = (input) => (input.type === "checkbox" ? String(input.checked) : input.value);

  function setValue(input, value) {
    if (input.type === "checkbox") input.checked = value === "true";
    else input.value = value;
  }

  function make(tag, parts, attributes) {
    const made = document.createElement(tag);
    made.append(...parts);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  // ---- One field: its element, its input, and the note below it.

  function makeField(name, input, box) {
    let root = input;
    while (root.parentElement !== box) root = root.parentElement;
    return { name, input, root, ...fields[name], note: null, mistake: "", reason: "", kept: null };
  }

  function addNote(field) {
    const { name, input, root } = field;
    const id = `start-form-${name}`;
    relabel(input.labels[0], name);
    field.note = make("small", [], { id, "data-loadtest": "note" });
    input.setAttribute("aria-label", name);
    input.setAttribute("aria-describedby", id);
    root.append(field.note);
    root.dataset.loadtest = "field";
  }

  // Locust's label is the name in title case, with the help text in parentheses.
  function relabel(label, name) {
    const texts = document.createTreeWalker(label, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (letters(text.data).startsWith(letters(name))) text.data = name;
    }
  }

  function tell(field) {
    field.note.textContent = field.mistake || field.reason || field.help;
    field.note.dataset.wrong = Boolean(field.mistake);
    field.input.setAttribute("aria-invalid", Boolean(field.mistake));
  }

  // ---- Fields without effect: greyed, with their neutral value, and the reason as their note.

  function disable(form, field) {
    const applies = ([other, pattern]) =>
      form.has(other) && new RegExp(pattern).test(valueOf(form.get(other).input));
    const idle = field.idle.find(({ when }) => Object.entries(when).every(applies));
    field.reason = idle ? idle.why : "";
    if (idle && field.kept === null) {
      field.kept = valueOf(field.input);
      setValue(field.input, String(field.neutral));
    } else if (!idle && field.kept !== null) {
      setValue(field.input, field.kept);
      field.kept = null;
    }
    field.input.disabled = Boolean(idle);
    tell(field);
  }

  function react(form, event) {
    for (const field of form.values()) {
      if (field.input === event?.target) field.mistake = "";
      disable(form, field);
    }
  }

  // ---- Groups of fields, which open and close.

  function addGroup(form, group) {
    const own = group.fields.map((name) => form.get(name));
    const list = make("small", [group.fields.join(", ")], {});
    const button = make("button", [make("span", [group.title], {}), list], { type: "button" });
    const show = (open) => {
      button.setAttribute("aria-expanded", open);
      for (const field of own) field.root.hidden = !open;
    };
    for (const field of own) field.show = () => show(true);
    button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
    own[0].root.before(make("h3", [button], { "data-loadtest": "group" }));
    show(group.open);
  }

  // Locust has all fields of plug-ins in one panel, closed, below its own fields.
  function bringForward(form, box) {
    const users = form.elements.namedItem("userCount");
    let panel = box;
    while (panel !== form && !panel.querySelector("[aria-expanded]")) panel = panel.parentElement;
    if (panel === form || panel.contains(users)) return;
    const head = panel.querySelector("[aria-expanded]");
    if (head.getAttribute("aria-expanded") === "false") head.click();
    panel.dataset.loadtest = "panel";
    if (panel.parentElement.contains(users)) panel.parentElement.prepend(panel);
  }

  // ---- Mistakes: Locust shows the server's message, one mistake a line; each also goes to its field.

  function placeOf(line, name) {
    const option = name.replaceAll("_", "[_-]");
    const place = line.search(new RegExp(`(?<![\\w-])(--)?${option}(?![\\w-])`));
    return place < 0 ? Infinity : place;
  }

  function fieldOf(form, line) {
    const named = [...form.values()].filter(({ name }) => placeOf(line, name) < Infinity);
    return named.sort((one, other) => placeOf(line, one.name) - placeOf(line, other.name))[0];
  }

  function showMistakes(form, message) {
    const wrong = [];
    for (const line of message.split("\n")) {
      const field = fieldOf(form, line);
      if (!field) continue;
      field.mistake = line.startsWith(`${field.name}: `) ? line.slice(field.name.length + 2) : line;
      field.show();
      tell(field);
      wrong.push(field);
    }
    wrong[0]?.input.focus();
  }

  // ---- The forms: one at the start; later, dialogs to start and to edit.

  function arrange(element) {
    const inputs = names.map((name) => element.elements.namedItem(camel(name)));
    if (!inputs.every((input) => input?.labels?.length)) return null;
    let box = inputs[0].parentElement;
    while (!inputs.every((input) => box.contains(input))) box = box.parentElement;
    const form = new Map(names.map((name, at) => [name, makeField(name, inputs[at], box)]));
    if (box === element || new Set([...form.values()].map(({ root }) => root)).size < form.size)
      return null;
    bringForward(element, box);
    for (const field of form.values()) addNote(field);
    for (const group of groups) addGroup(form, group);
    box.dataset.loadtest = "fields";
    element.addEventListener("input", (event) => react(form, event));
    element.elements.namedItem("host")?.setAttribute("readonly", "");
    react(form);
    return { form, message: "" };
  }

  function look() {
    for (const element of document.forms) {
      if (!arranged.has(element)) {
        arranged.set(element, null);
        arranged.set(element, arrange(element));
      }
      const known = arranged.get(element);
      if (!known) continue;
      const alerts = [...element.querySelectorAll('[role="alert"]')];
      const message = alerts.map((alert) => alert.textContent).join("\n");
      if (message === known.message) continue;
      known.message = message;
      showMistakes(known.form, message);
    }
  }

  const changes = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.body, changes);
  look();
})();
