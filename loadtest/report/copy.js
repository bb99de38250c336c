"use strict";
// A command or a line of code gets a button that copies it.

for (const block of document.querySelectorAll("pre.copied")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const status = document.createElement("span");
  status.role = "status";
  status.className = "unseen";
  button.addEventListener("click", async () => {
    const code = block.querySelector("code");
    getSelection().selectAllChildren(code);
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      done = document.execCommand("copy"); // a page that is not from a secure place
    }
    button.textContent = status.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const box = document.createElement("div");
  box.className = "copying";
  block.replaceWith(box);
  box.append(block, button, status);
}
