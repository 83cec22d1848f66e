// What the theme makes at run time: a table that scrolls can be reached by keyboard, and the buttons of a block of code are
// told apart.
function name() {
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) table.tabIndex = 0;
  document.querySelectorAll(".md-code__nav").forEach((buttons, index) => {
    buttons.setAttribute("aria-label", `Code ${index + 1}`);
  });
}
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
