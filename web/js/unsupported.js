// Says that the page cannot start. A classic script in ES5, for it must run in browsers where the modules do not.
(function () {
  /** Return the language of the sentence: the first that the browser asks for and that there is, as in words.js. */
  function language(sentences) {
    var wanted = navigator.languages || [navigator.language || ''];
    for (var at = 0; at < wanted.length; at += 1) {
      var code = wanted[at].slice(0, 2).toLowerCase();
      if (sentences.querySelector('[lang=' + code + ']')) return code;
    }
    return 'en';
  }

  function show() {
    var sentences = document.getElementById('unsupported');
    var sentence = sentences.querySelector('[lang=' + language(sentences) + ']');
    sentence.querySelector('a').addEventListener('click', reload);
    sentence.hidden = false;
    sentences.hidden = false;
  }

  /** Load the whole address again: the link's own lacks what stands behind the `#`. */
  function reload(event) {
    event.preventDefault();
    window.location.reload();
  }

  /** Tell whether the page has not begun to show anything: what goes wrong later is not for this sentence. */
  function starting() {
    return !document.querySelector('.view:not([hidden])');
  }

  /** A script that did not arrive is an event of its element; one that cannot be read or run, of the window. */
  function onError(event) {
    var mine = event.target === window || event.target.tagName === 'SCRIPT';
    if (mine && starting()) show();
  }

  window.addEventListener('error', onError, true);
  window.addEventListener('unhandledrejection', onError);
  if (!('noModule' in document.createElement('script'))) show();
})();
