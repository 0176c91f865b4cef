// What sticks out of the page, and text that is cut off. A wide table may scroll in a box of its own (1.4.10 excepts it).
() => {
  const width = document.documentElement.clientWidth;
  const more = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - width;
  const name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + [...e.classList].map(c => '.' + c).join('');
  const scrolls = e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX);
  const inBox = e => e.parentElement !== null && (scrolls(e.parentElement) || inBox(e.parentElement));
  const found = [];
  for (const e of document.body.querySelectorAll('*')) {
    const box = e.getBoundingClientRect();
    const style = getComputedStyle(e);
    // What is for screen readers alone is clipped to nothing.
    const isUnseen = e.closest('[aria-hidden=true]') || style.clipPath !== 'none' || style.clip !== 'auto';
    if (box.width < 2 || box.height < 2 || style.visibility === 'hidden' || isUnseen) continue;
    if (more > 0 && box.right > width + 0.5 && !inBox(e)) found.push(`${name(e)} ends at ${Math.round(box.right)} px`);
    const hides = ['hidden', 'clip'].includes(style.overflowX);
    if (hides && e.scrollWidth > e.clientWidth + 1 && e.textContent.trim()) found.push(`${name(e)} cuts its text off`);
  }
  if (more > 0) found.unshift(`the page is ${more} px wider than the ${width} px of the screen`);
  return found.slice(0, 12);
}
