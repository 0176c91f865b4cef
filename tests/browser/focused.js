// What has the focus, and what is wrong with how that shows: nothing to see (WCAG 2.4.7), or something lies on it (2.4.11).
() => {
  const e = document.activeElement;
  if (!e || e === document.body) return ['', ''];
  const text = (e.textContent || e.value || '').trim().slice(0, 40);
  const name = `${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''} '${text}'`;
  const box = e.getBoundingClientRect();
  const style = getComputedStyle(e);
  if (box.width < 2 || box.height < 2) return [name, 'has the focus and is not to be seen'];
  // Inside a field of a date the browser's own button has the focus, and its own ring.
  const isInside = ['date', 'time'].includes(e.type) && !e.matches(':focus-visible');
  if (isInside) return [name, ''];
  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) {
    return [name, 'does not show that it has the focus'];
  }
  const inside = (value, most) => Math.min(Math.max(value, 0), most - 1);
  const x = inside(box.left + box.width / 2, innerWidth);
  const y = inside(box.top + Math.min(box.height, innerHeight) / 2, innerHeight);
  const above = document.elementFromPoint(x, y);
  const isOwn = above && (e.contains(above) || above.contains(e) || [...(e.labels ?? [])].some(l => l.contains(above)));
  return [name, isOwn ? '' : `has the focus and lies below ${above ? above.tagName : 'nothing'}`];
}
