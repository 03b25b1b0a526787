// The page of file requests, in all languages; see en.js.
export default {
  en: {
    requests_h: 'Ask for files',
  },

  de: {
    requests_h: 'Dateien anfordern',
  },
};
