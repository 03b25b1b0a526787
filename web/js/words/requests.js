// The page of file requests, in all languages; see en.js.
export default {
  en: {
    requests_h: 'Ask for files',

    // Making one
    request_title: 'Title',
    request_note: 'Note (optional)',
    request_seen: 'Whoever opens the link sees title and note.',
    request_days: 'Open for',
    request_files: 'Files at most',
    request_make: 'Make a link',
    request_title_missing: 'Enter a title. It tells people what to send.',
    request_title_refused: 'The title needs 1 to {most} characters that can be shown.',
    request_note_refused: 'The note may have at most {most} characters. It has {count}.',
    request_files_wrong: 'Enter a whole number from 1 to {most}.',
    requests_full: 'You have 100 requests already. Remove some that are over, or end one.',
    request_made: 'The link for {name} is ready.',

    // Those that were made
    requests_yours: 'Your requests',
    requests_none:
      'People without an account can send you files: make a link and give it to them. What they send appears among your files.',
    requests_failed: "Your requests couldn't be loaded. {reason}",
    request_open: {
      one: '{received} of {count} file · until {day}',
      other: '{received} of {count} files · until {day}',
    },
    request_over_time: {
      one: '{received} of {count} file · over: the time is up',
      other: '{received} of {count} files · over: the time is up',
    },
    request_over_files: {
      one: '{received} of {count} file · over: all files have come',
      other: '{received} of {count} files · over: all files have come',
    },
    request_over_ended: {
      one: '{received} of {count} file · over: it was ended',
      other: '{received} of {count} files · over: it was ended',
    },
    request_link_name: 'Link for {name}',
    request_copy: 'Copy link',
    request_copy_name: 'Copy link for {name}',
    request_copied: 'Link copied',
    request_end: 'End',
    request_end_name: 'End {name}',
    request_end_question: 'End {name}?',
    request_end_warning: 'The link stops working at once. What has come stays among your files.',
    request_ended: '{name} ended',
    request_not_ended: 'Not ended. {reason}',
    request_remove: 'Remove',
    request_remove_name: 'Remove {name} from the list',
    request_remove_question: 'Remove {name} from the list?',
    request_remove_warning: 'What has come stays among your files.',
    request_removed: '{name} removed',
    request_not_removed: 'Not removed. {reason}',
  },

  de: {
    requests_h: 'Dateien anfordern',

    // Making one
    request_title: 'Titel',
    request_note: 'Hinweis (optional)',
    request_seen: 'Wer den Link öffnet, sieht Titel und Hinweis.',
    request_days: 'Offen für',
    request_files: 'Dateien höchstens',
    request_make: 'Link erstellen',
    request_title_missing: 'Geben Sie einen Titel ein. Er sagt, was gesendet werden soll.',
    request_title_refused: 'Der Titel braucht 1 bis {most} darstellbare Zeichen.',
    request_note_refused: 'Der Hinweis darf höchstens {most} Zeichen haben. Er hat {count}.',
    request_files_wrong: 'Geben Sie eine ganze Zahl von 1 bis {most} ein.',
    requests_full: 'Sie haben bereits 100 Anforderungen. Entfernen Sie abgelaufene, oder beenden Sie eine.',
    request_made: 'Der Link für {name} ist bereit.',

    // Those that were made
    requests_yours: 'Ihre Anforderungen',
    requests_none:
      'Auch wer kein Konto hat, kann Ihnen Dateien senden: Erstellen Sie einen Link und geben Sie ihn weiter. Was ankommt, erscheint bei Ihren Dateien.',
    requests_failed: 'Ihre Anforderungen konnten nicht geladen werden. {reason}',
    request_open: {
      one: '{received} von {count} Datei · bis {day}',
      other: '{received} von {count} Dateien · bis {day}',
    },
    request_over_time: {
      one: '{received} von {count} Datei · vorbei: die Zeit ist um',
      other: '{received} von {count} Dateien · vorbei: die Zeit ist um',
    },
    request_over_files: {
      one: '{received} von {count} Datei · vorbei: alle Dateien sind da',
      other: '{received} von {count} Dateien · vorbei: alle Dateien sind da',
    },
    request_over_ended: {
      one: '{received} von {count} Datei · vorbei: wurde beendet',
      other: '{received} von {count} Dateien · vorbei: wurde beendet',
    },
    request_link_name: 'Link für {name}',
    request_copy: 'Link kopieren',
    request_copy_name: 'Link kopieren für {name}',
    request_copied: 'Link kopiert',
    request_end: 'Beenden',
    request_end_name: '{name} beenden',
    request_end_question: '{name} beenden?',
    request_end_warning: 'Der Link gilt sofort nicht mehr. Was angekommen ist, bleibt bei Ihren Dateien.',
    request_ended: '{name} beendet',
    request_not_ended: 'Nicht beendet. {reason}',
    request_remove: 'Entfernen',
    request_remove_name: '{name} aus der Liste entfernen',
    request_remove_question: '{name} aus der Liste entfernen?',
    request_remove_warning: 'Was angekommen ist, bleibt bei Ihren Dateien.',
    request_removed: '{name} entfernt',
    request_not_removed: 'Nicht entfernt. {reason}',
  },
};
