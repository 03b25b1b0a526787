// The page of the account, in all languages; see en.js.
export default {
  en: {
    account_h: 'Account',
    account_who: 'Signed in as {email}',
    part_failed: 'This could not be loaded. {reason}',
    signed_out_meanwhile: 'You have to sign in first.',

    // Storage
    storage: 'Storage',
    storage_used: '{used} used',
    storage_of: '{used} of {quota} used, {left} left',
    storage_nearly_full: 'Nearly full. Delete files that you no longer need.',
    storage_full: 'Full. Nothing can be uploaded until you delete files.',

    // The password
    password_h: 'Password',
    current_password: 'Current password',
    new_password: 'New password',
    show_current_password: 'Show current password',
    show_new_password: 'Show new password',
    new_password_hint:
      '8 to 72 characters. Your e-mail address, and passwords that many people use, are refused.',
    change_password: 'Change password',
    password_changed: 'Your password is changed. All your other sessions have ended.',
    current_password_missing: 'Enter your current password.',
    current_password_wrong: 'This is not your current password.',
    new_password_missing: 'Enter a new password.',
    new_password_short: {
      one: 'Too short: {count} character is missing.',
      other: 'Too short: {count} characters are missing.',
    },
    new_password_long:
      'Too long: 72 letters from A to Z fit, and fewer of other letters and signs. Choose a shorter one.',
    new_password_common: 'This password is among the first that are guessed. Choose another.',

    // Sessions
    sessions_h: 'Where you are signed in',
    session_here: 'This one',
    session_device: '{browser} on {system}',
    session_unknown: 'An unknown program',
    session_made: 'Signed in {when}',
    session_used: 'Last used {ago}',
    session_end: 'End',
    session_end_name: 'End {name}',
    session_ended_one: 'Ended: {name}',
    session_not_ended: 'Not ended. {reason}',
    sessions_end: 'End all others',
    sessions_end_question: 'End all other sessions?',
    sessions_end_warning: 'Every other browser and program that is signed in as you must sign in again.',
    sessions_ended: 'All other sessions have ended',

    // API tokens
    tokens_h: 'API tokens',
    tokens_about: 'A token lets a script send files for you without your password.',
    tokens_none: 'No tokens yet.',
    token_made_on: 'Made {when}',
    token_unused: 'Never used',
    token_used: 'Last used {ago}',
    token_no_end: 'No end',
    token_ends: 'Ends {day}',
    token_ended: 'Ended {day}: refused since',
    token_upload: 'Upload only',
    token_full: 'All of your files',
    token_revoke: 'Revoke',
    token_revoke_name: 'Revoke {name}',
    token_revoke_question: 'Revoke {name}?',
    token_revoke_warning: 'Scripts that use it are refused from now on. This cannot be undone.',
    token_revoked: '{name} revoked',
    token_not_revoked: 'Not revoked. {reason}',

    // Making one
    token_new: 'New token',
    token_name: 'Name',
    token_name_hint: 'What it is for, such as “laptop” or “scanner”.',
    token_name_missing: 'Give the token a name.',
    token_name_wrong: 'A name has letters, digits, signs and plain spaces only.',
    token_scope: 'What it may do',
    token_upload_hint: 'It sends files and reads the limits. It sees none of your files.',
    token_full_hint: 'It lists, downloads and deletes your files as well.',
    token_scope_hint: 'No token can change your password, make tokens or ask for files.',
    token_expiry: 'Good for',
    token_for_ever: 'No end',
    token_make: 'Make token',
    tokens_too_many: 'You have 100 tokens already. Revoke some that nobody uses.',
    token_unsure: 'The connection was interrupted. If the token is in the list, revoke it and make another.',

    // A token just made
    token_made: 'The token “{name}” is made',
    token_only_now: 'It is shown only now. Copy it to a safe place: who has it can act for you.',
    token_text: 'Token',
    token_copy: 'Copy token',
    token_copied: 'Token copied',
    token_command: 'Send a file with it',
    token_command_hint:
      'Paste this into a shell, with the name of your file for report.pdf. It ends with “OK” when every byte has arrived.',
    token_command_copy: 'Copy command',
    token_command_copied: 'Command copied',
    token_done: 'Done',
  },

  de: {
    account_h: 'Konto',
    account_who: 'Angemeldet als {email}',
    part_failed: 'Das konnte nicht geladen werden. {reason}',
    signed_out_meanwhile: 'Sie müssen sich erst anmelden.',

    // Speicherplatz
    storage: 'Speicherplatz',
    storage_used: '{used} belegt',
    storage_of: '{used} von {quota} belegt, {left} frei',
    storage_nearly_full: 'Fast voll. Löschen Sie Dateien, die Sie nicht mehr brauchen.',
    storage_full: 'Voll. Hochladen können Sie erst wieder, wenn Sie Dateien gelöscht haben.',

    // Das Passwort
    password_h: 'Passwort',
    current_password: 'Bisheriges Passwort',
    new_password: 'Neues Passwort',
    show_current_password: 'Anzeigen: bisheriges Passwort',
    show_new_password: 'Anzeigen: neues Passwort',
    new_password_hint:
      '8 bis 72 Zeichen. Ihre E-Mail-Adresse und Passwörter, die viele benutzen, werden abgelehnt.',
    change_password: 'Passwort ändern',
    password_changed: 'Ihr Passwort ist geändert. Alle Ihre anderen Sitzungen sind beendet.',
    current_password_missing: 'Geben Sie Ihr bisheriges Passwort ein.',
    current_password_wrong: 'Das ist nicht Ihr bisheriges Passwort.',
    new_password_missing: 'Geben Sie ein neues Passwort ein.',
    new_password_short: {
      one: 'Zu kurz: Es fehlt {count} Zeichen.',
      other: 'Zu kurz: Es fehlen {count} Zeichen.',
    },
    new_password_long:
      'Zu lang: 72 Buchstaben von A bis Z passen, von anderen Buchstaben und Zeichen weniger. Wählen Sie ein kürzeres.',
    new_password_common: 'Dieses Passwort wird als eines der ersten erraten. Wählen Sie ein anderes.',

    // Sitzungen
    sessions_h: 'Wo Sie angemeldet sind',
    session_here: 'Diese',
    session_device: '{browser} unter {system}',
    session_unknown: 'Ein unbekanntes Programm',
    session_made: 'Angemeldet {when}',
    session_used: 'Zuletzt benutzt {ago}',
    session_end: 'Beenden',
    session_end_name: 'Beenden: {name}',
    session_ended_one: 'Beendet: {name}',
    session_not_ended: 'Nicht beendet. {reason}',
    sessions_end: 'Alle anderen beenden',
    sessions_end_question: 'Alle anderen Sitzungen beenden?',
    sessions_end_warning:
      'In jedem anderen Browser und Programm, das mit Ihrem Konto angemeldet ist, muss man sich neu anmelden.',
    sessions_ended: 'Alle anderen Sitzungen sind beendet',

    // API-Tokens
    tokens_h: 'API-Tokens',
    tokens_about: 'Mit einem Token sendet ein Skript Dateien für Sie, ohne Ihr Passwort.',
    tokens_none: 'Noch keine Tokens.',
    token_made_on: 'Erstellt {when}',
    token_unused: 'Nie benutzt',
    token_used: 'Zuletzt benutzt {ago}',
    token_no_end: 'Ohne Ende',
    token_ends: 'Endet {day}',
    token_ended: 'Abgelaufen {day}: wird seitdem abgelehnt',
    token_upload: 'Nur hochladen',
    token_full: 'Alle Ihre Dateien',
    token_revoke: 'Widerrufen',
    token_revoke_name: 'Widerrufen: {name}',
    token_revoke_question: '{name} widerrufen?',
    token_revoke_warning:
      'Skripte, die es benutzen, werden ab sofort abgelehnt. Das lässt sich nicht rückgängig machen.',
    token_revoked: '{name} widerrufen',
    token_not_revoked: 'Nicht widerrufen. {reason}',

    // Eines erstellen
    token_new: 'Neues Token',
    token_name: 'Name',
    token_name_hint: 'Wofür es ist, zum Beispiel „Laptop“ oder „Scanner“.',
    token_name_missing: 'Geben Sie dem Token einen Namen.',
    token_name_wrong: 'Ein Name besteht nur aus Buchstaben, Ziffern, Zeichen und einfachen Leerzeichen.',
    token_scope: 'Was es darf',
    token_upload_hint: 'Es sendet Dateien und liest die Grenzen. Ihre Dateien sieht es nicht.',
    token_full_hint: 'Es listet, lädt und löscht auch Ihre Dateien.',
    token_scope_hint: 'Kein Token kann Ihr Passwort ändern, Tokens erstellen oder Dateien anfordern.',
    token_expiry: 'Gültig für',
    token_for_ever: 'Ohne Ende',
    token_make: 'Token erstellen',
    tokens_too_many: 'Sie haben schon 100 Tokens. Widerrufen Sie einige, die niemand benutzt.',
    token_unsure:
      'Die Verbindung wurde unterbrochen. Steht das Token in der Liste, widerrufen Sie es und erstellen ein neues.',

    // Ein Token, eben erstellt
    token_made: 'Das Token „{name}“ ist erstellt',
    token_only_now:
      'Es wird nur jetzt angezeigt. Kopieren Sie es an einen sicheren Ort: Wer es hat, kann für Sie handeln.',
    token_text: 'Token',
    token_copy: 'Kopieren: Token',
    token_copied: 'Token kopiert',
    token_command: 'Eine Datei damit senden',
    token_command_hint:
      'Fügen Sie dies in eine Shell ein, mit dem Namen Ihrer Datei statt report.pdf. Es endet mit „OK“, wenn jedes Byte angekommen ist.',
    token_command_copy: 'Kopieren: Befehl',
    token_command_copied: 'Befehl kopiert',
    token_done: 'Fertig',
  },
};
