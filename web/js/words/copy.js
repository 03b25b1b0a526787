// Copying a text, in all languages; see en.js.
export default {
  en: {
    copy: 'Copy',
    copied: 'Copied',
    copy_by_hand: 'Your browser could not copy it. It is selected: copy it by hand.',
  },

  de: {
    copy: 'Kopieren',
    copied: 'Kopiert',
    copy_by_hand:
      'Ihr Browser konnte nicht kopieren. Der Text ist markiert: Bitte kopieren Sie ihn von Hand.',
  },
};
