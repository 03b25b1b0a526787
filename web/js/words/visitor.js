// The page for visitors of a file request, in all languages; see en.js.
export default {
  en: {
    visit_name: 'Your name (optional)',
    visit_open: {
      one: 'Open until {time} · takes {count} more file',
      other: 'Open until {time} · takes {count} more files',
    },
    visit_thanks: { one: '{count} file arrived. Thank you.', other: '{count} files arrived. Thank you.' },
    visit_failed: 'This page cannot be shown just now',
    link_cut: 'This link is not complete',
    link_cut_text: 'What stands behind the # is missing. Copy the whole link that you were sent.',
    link_wrong: 'This link does not work',
    link_wrong_text: 'Copy the whole link again, or ask whoever sent it to you for a new one.',
    over: 'This request is over',
    over_text:
      'No more files are taken; what has arrived was kept. If you still have some to send, ask whoever sent you the link for a new one.',
    over_full:
      'The request has all the files it asked for. If you still have some to send, ask whoever sent you the link for a new one.',
    over_late:
      'The request has run out of time. If you still have files to send, ask whoever sent you the link for a new one.',
    failed_over: 'The request is over and takes no more files.',
    failed_link: 'The link does not work any more.',
    failed_no_room: 'There is no room left for it. Tell whoever sent you the link.',
  },

  de: {
    visit_name: 'Ihr Name (optional)',
    visit_open: {
      one: 'Offen bis {time} · noch {count} Datei',
      other: 'Offen bis {time} · noch {count} Dateien',
    },
    visit_thanks: {
      one: '{count} Datei ist angekommen. Vielen Dank.',
      other: '{count} Dateien sind angekommen. Vielen Dank.',
    },
    visit_failed: 'Diese Seite lässt sich gerade nicht anzeigen',
    link_cut: 'Dieser Link ist nicht vollständig',
    link_cut_text: 'Der Teil nach dem # fehlt. Kopieren Sie den ganzen Link, den Sie bekommen haben.',
    link_wrong: 'Dieser Link funktioniert nicht',
    link_wrong_text:
      'Kopieren Sie den ganzen Link erneut, oder bitten Sie die Person, die ihn geschickt hat, um einen neuen.',
    over: 'Diese Anforderung ist beendet',
    over_text:
      'Es werden keine Dateien mehr angenommen; was angekommen ist, bleibt. Wenn Sie noch welche haben, bitten Sie die Person, die Ihnen den Link geschickt hat, um einen neuen.',
    over_full:
      'Alle gewünschten Dateien sind da. Wenn Sie noch welche haben, bitten Sie die Person, die Ihnen den Link geschickt hat, um einen neuen.',
    over_late:
      'Die Zeit ist abgelaufen. Wenn Sie noch Dateien haben, bitten Sie die Person, die Ihnen den Link geschickt hat, um einen neuen.',
    failed_over: 'Die Anforderung ist beendet und nimmt keine Dateien mehr an.',
    failed_link: 'Der Link funktioniert nicht mehr.',
    failed_no_room: 'Dafür ist kein Platz mehr. Sagen Sie es der Person, die Ihnen den Link geschickt hat.',
  },
};
