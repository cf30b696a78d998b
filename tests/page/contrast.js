// Every text that is seen, against what is behind it: what falls below WCAG 2's 4.5 (3 where it is large), with its colours.
() => {
  const parsed = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const behind = (element) => {
    const colour = parsed(getComputedStyle(element).backgroundColor);
    if (colour.a === 1) return colour;
    return over(colour, element.parentElement ? behind(element.parentElement) : { r: 255, g: 255, b: 255, a: 1 });
  };
  const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const words = texts.currentNode.textContent.trim();
    if (words === "" || !element.checkVisibility() || element.closest("noscript, .unseen, :disabled")) continue;
    const style = getComputedStyle(element);
    const under = behind(element);
    const colour = parsed(style.color);
    const seen = over({ ...colour, a: colour.a * opacity(element) }, under);
    const [light, dark] = [luminance(seen), luminance(under)].sort((one, other) => other - one);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) faint.push(`${ratio.toFixed(2)} ${words.slice(0, 40)} (${style.color} on ${JSON.stringify(under)})`);
  }
  return faint;
}
