// What is smaller than `least` px, and buttons that are lower than `button` px. A label that belongs to a control is a part of
// its target; links inside a sentence are excepted by 2.5.8; what waits off the screen until it has the focus is no target.
([least, button]) => {
  const interactive = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  const inSentence = e => e.tagName === 'A' && getComputedStyle(e).display === 'inline' &&
    [...e.parentElement.childNodes].some(n => n.nodeType === Node.TEXT_NODE && /\w/.test(n.textContent));
  const found = [];
  for (const e of document.querySelectorAll(interactive)) {
    const own = e.getBoundingClientRect();
    if (!e.checkVisibility({visibilityProperty: true}) || e.tabIndex < 0 || inSentence(e)) continue;
    if (own.width === 0 || own.bottom <= 0 || own.right <= 0) continue;
    const boxes = [e, ...(e.labels ?? [])].map(part => part.getBoundingClientRect());
    const width = Math.round(Math.max(...boxes.map(b => b.right)) - Math.min(...boxes.map(b => b.left)));
    const height = Math.round(Math.max(...boxes.map(b => b.bottom)) - Math.min(...boxes.map(b => b.top)));
    const isButton = e.tagName === 'BUTTON' || ['submit', 'button', 'reset'].includes(e.type);
    const what = (e.labels?.[0] ?? e).textContent.trim().slice(0, 40) || e.value || e.name || e.tagName;
    if (width < least || height < least) found.push(`'${what}' is ${width} × ${height} px`);
    else if (isButton && own.height < button - 0.5) found.push(`button '${what}' is ${Math.round(own.height)} px high`);
  }
  return found;
}
