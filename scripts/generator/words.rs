//! Texts of payloads. Phrases stand as they do inside a JSON string: escapes are already there.

/// Languages of contexts.
pub(crate) const LANGUAGES: usize = 6;

/// Titles by language, inside a JSON string.
pub(crate) const TITLES: [[&str; 4]; LANGUAGES] = [
    [
        "Order follow-up",
        "Invoice \\\"2024/17\\\"",
        "<script>alert('title')</script>",
        "Q&A \\/ help",
    ],
    ["Reserva de mesa para dos", "Presupuesto a\\u00f1o nuevo", "¿Dónde está mi pedido?", "Año 🎉"],
    [
        "Rückfrage zur Lieferung",
        "Größe & Maße",
        "Überweisung <b>fehlt</b>",
        "Prüfung abgeschlossen ✅",
    ],
    ["订单跟进", "发票问题 📄", "会议安排：下周三", "产品“反馈”"],
    ["متابعة الطلب", "سؤال عن الفاتورة", "حجز موعد 🗓️", "مرحبا بكم"],
    ["מעקב הזמנה", "שאלה על החשבונית", "קביעת פגישה", "שלום 👋"],
];

/// Phrases by language, inside a JSON string.
pub(crate) const PHRASES: [[&str; 12]; LANGUAGES] = [
    [
        "I checked the order and it left the warehouse this morning.",
        "Could you send me the tracking number, please?",
        "She said \\\"call me back before five\\\" and hung up.",
        "The file is at C:\\\\temp\\\\report.csv, or under \\/var\\/tmp.",
        "Sure! 👍🏽 Let me look that up for you.",
        "It costs 1,299.00 USD, shipping included.",
        "if (a < b && b > c) { return `${a}`; }",
        "Nothing else has changed since the last message.",
        "The caf\\u00e9 opens at eight; no reservation is needed.",
        "Please find the three steps below:\\n- open\\n- check\\n- close",
        "\\tIndented line, with a tab in front.",
        "The family 👨‍👩‍👧‍👦 plan covers up to five people.",
    ],
    [
        "He revisado el pedido y sale mañana por la mañana.",
        "¿Me puede enviar el número de seguimiento, por favor?",
        "El señor Núñez preguntó por la factura n.º 482.",
        "¡Claro! 😊 Ahora mismo lo consulto.",
        "La reuni\\u00f3n es el jueves a las diez.",
        "No hay cambios desde el último mensaje.",
        "El precio final es 1.299,00 €, env\\u00edo incluido.",
        "Nos vemos en la oficina de Málaga.",
        "Adjunto el documento \\\"contrato.pdf\\\" firmado.",
        "Muchas gracias por su paciencia.",
        "Se lo confirmo en cuanto tenga respuesta.",
        "Primer paso:\\nabrir la aplicación.",
    ],
    [
        "Ich habe die Bestellung geprüft, sie geht heute hinaus.",
        "Könnten Sie mir bitte die Sendungsnummer schicken?",
        "Die Größe stimmt, die Farbe leider nicht.",
        "Für Rückfragen erreichen Sie uns bis 17 Uhr.",
        "Der Gesamtbetrag lautet 1.299,00 €.",
        "Das Straßenverzeichnis liegt unter D:\\\\daten\\\\straße.txt.",
        "Vielen Dank für Ihre Geduld! 🙏",
        "Es gibt nichts Neues seit der letzten Nachricht.",
        "Er sagte: \\u201ebis morgen\\u201c.",
        "Schritt 1:\\nAnwendung öffnen.",
        "Änderungen werden sofort übernommen.",
        "Wir melden uns spätestens übermorgen.",
    ],
    [
        "我已经查过订单，今天上午已经发货。",
        "请把快递单号发给我，谢谢！",
        "他说：“明天下午再联系。”",
        "总价是一千二百九十九元，含运费。",
        "好的👌，我马上帮您查询。",
        "会议改到星期四上午十点。",
        "附件是签好的合同文件。",
        "自上次消息以来没有变化。",
        "第一步：\\n打开应用程序。",
        "\\u4f60\\u597d，很高兴为您服务。",
        "𠮷野家的地址在第二页。",
        "感谢您的耐心等待。",
    ],
    [
        "لقد راجعت الطلب وسيغادر المستودع صباح اليوم.",
        "هل يمكنك إرسال رقم التتبع من فضلك؟",
        "قال: \\\"سأتصل بك غدًا\\\".",
        "السعر الإجمالي ١٬٢٩٩ درهمًا.",
        "بالتأكيد 😊 سأبحث عن ذلك الآن.",
        "الاجتماع يوم الخميس الساعة العاشرة.",
        "لا جديد منذ الرسالة الأخيرة.",
        "شكرًا جزيلًا على صبركم.",
        "الخطوة الأولى:\\nافتح التطبيق.",
        "الملف المرفق هو contract.pdf موقّعًا.",
        "\\u200fنص من اليمين إلى اليسار\\u200f",
        "سنعاود الاتصال بكم قريبًا.",
    ],
    [
        "בדקתי את ההזמנה והיא יוצאת היום בבוקר.",
        "אפשר לקבל את מספר המעקב בבקשה?",
        "הוא אמר \\\"מחר בצהריים\\\" וניתק.",
        "המחיר הכולל הוא 1,299 ש\\\"ח.",
        "בטח! 😄 אני בודק עכשיו.",
        "הפגישה ביום חמישי בעשר.",
        "אין חדש מאז ההודעה האחרונה.",
        "תודה רבה על הסבלנות.",
        "שלב ראשון:\\nפתיחת היישום.",
        "הקובץ המצורף הוא contract.pdf חתום.",
        "\\u05e9\\u05dc\\u05d5\\u05dd לכולם",
        "נחזור אליכם בהקדם.",
    ],
];

/// Tools the assistant calls.
pub(crate) const TOOLS: [&str; 6] =
    ["search_docs", "create_order", "sendEmail", "query_db", "generate_image", "web-fetch"];

/// What stands between phrases.
pub(crate) const BETWEEN: [&str; 8] = [" ", " ", " ", " ", " ", "\\n", "\\n\\n", " "];

/// Hostile text that is no defect: markup, NUL and control characters as escapes, a byte order
/// mark, a line separator.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\\u0000\\u0007\\ufeff\\u2028'; \
                                  DROP TABLE x;--\\\\u0041 &amp; \\ud83d\\ude00";
