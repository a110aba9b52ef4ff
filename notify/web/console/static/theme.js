// Before the page is drawn: the theme that the user chose with the key t; without one, the system's.
try {
  const theme = localStorage.getItem("notify-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's theme.
}
document.documentElement.classList.add("js");
