// The page of the account, in all languages; see en.js.
export default {
  en: {
    account_h: 'Account',
  },

  de: {
    account_h: 'Konto',
  },
};
